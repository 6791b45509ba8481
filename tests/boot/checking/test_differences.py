"""The words for the operations that Alembic's comparison finds."""

from collections.abc import Sequence
from typing import Any

import pytest
from alembic.operations import ops
from sqlalchemy import (
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

from alembic_boot.checking.differences import Difference, Operation, in_words

METADATA = MetaData()
OWNERS = Table("owners", METADATA, Column("id", Integer, primary_key=True), schema="shop")
PETS = Table(
    "pets",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("owner", Integer),
    UniqueConstraint("id", "owner", name="uq_pets"),
    schema="shop",
)
UNNAMED = UniqueConstraint(PETS.c.owner, PETS.c.id)
FOREIGN = ForeignKeyConstraint([PETS.c.owner], [OWNERS.c.id], name="fk_pets_owner")
NAMED = next(it for it in PETS.constraints if it.name == "uq_pets")
INDEX = Index("ix_pets_owner", PETS.c.owner)
UNIQUE = Index("ix_pets_id", PETS.c.id, unique=True)

ADDED = "is in the models and not in the schema"
DROPPED = "is in the schema and not in the models"
CHANGED = "in the models and in the schema"


def altered(**what: Any) -> Sequence[Operation]:
    return [ops.AlterColumnOp("pets", "id", schema="shop", **what)]


SAID: list[tuple[Sequence[Operation], str]] = [
    (
        [ops.CreateTableOp.from_table(PETS), ops.CreateIndexOp.from_index(INDEX)],
        f"table shop.pets {ADDED}",
    ),
    (
        [ops.DropIndexOp.from_index(INDEX), ops.DropTableOp.from_table(PETS)],
        f"table shop.pets {DROPPED}, which is harmless",
    ),
    ([ops.AddColumnOp.from_column(PETS.c.owner)], f"column shop.pets.owner {ADDED}"),
    ([ops.AddColumnOp("pets", Column("new"), schema="shop")], f"column shop.pets.new {ADDED}"),
    (
        [ops.DropColumnOp.from_column_and_tablename("shop", "pets", PETS.c.owner)],
        f"column shop.pets.owner {DROPPED}",
    ),
    ([ops.CreateIndexOp.from_index(INDEX)], f"index ix_pets_owner on shop.pets {ADDED}"),
    (
        [ops.DropIndexOp.from_index(INDEX)],
        f"index ix_pets_owner on shop.pets {DROPPED}, which is harmless",
    ),
    ([ops.DropIndexOp.from_index(UNIQUE)], f"index ix_pets_id on shop.pets {DROPPED}"),
    (
        [ops.DropIndexOp.from_index(INDEX), ops.CreateIndexOp.from_index(INDEX)],
        "index ix_pets_owner on shop.pets differs between the models and the schema",
    ),
    (
        [ops.AddConstraintOp.from_constraint(UNNAMED)],
        f"unique constraint of owner, id on shop.pets {ADDED}",
    ),
    (
        [ops.DropConstraintOp.from_constraint(NAMED)],
        f"unique constraint uq_pets on shop.pets {DROPPED}",
    ),
    (
        [ops.AddConstraintOp.from_constraint(FOREIGN)],
        f"foreign key constraint fk_pets_owner on shop.pets {ADDED}",
    ),
    (
        [ops.DropConstraintOp.from_constraint(FOREIGN)],
        f"foreign key constraint fk_pets_owner on shop.pets {DROPPED}",
    ),
    (
        altered(modify_type=Text(), existing_type=Integer()),
        "column shop.pets.id is TEXT in the models and INTEGER in the schema",
    ),
    (
        altered(modify_nullable=False),
        "column shop.pets.id is NOT NULL in the models and NULL in the schema",
    ),
    (altered(modify_server_default=None), f"column shop.pets.id has different defaults {CHANGED}"),
    (altered(modify_comment="a number"), f"column shop.pets.id has different comments {CHANGED}"),
    (
        [ops.CreateTableCommentOp("pets", "animals", schema="shop")],
        "no revision has op.create_table_comment( 'pets', 'animals', existing_comment=None, "
        "schema='shop' )",
    ),
    ([ops.ExecuteSQLOp("SELECT 1")], "no revision has op.execute('SELECT 1')"),
]


@pytest.mark.parametrize(("found", "said"), SAID, ids=[said for _, said in SAID])
def test_words(found: Sequence[Operation], said: str) -> None:
    text, _, is_harmless = said.partition(", which is ")
    table = "shop.pets" if "pets" in said else None
    assert in_words(found) == [Difference(text, bool(is_harmless), table)]
