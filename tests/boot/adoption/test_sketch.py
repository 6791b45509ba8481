"""Outlines and sketches: equal if the schemas are, and different if what they tell differs."""

import pytest
from psycopg2.extensions import connection as Connection

from alembic_boot.adoption.comparison import Catalogue
from alembic_boot.adoption.reading import IGNORED_TABLES
from alembic_boot.adoption.sketch import read_outline, read_sketch
from tests.boot.adoption.planted import PLANTED, Planted
from tests.boot.adoption.schema_examples import EVERYTHING, SAME, build, make
from tests.cluster import Cluster

EXPRESSIONS = (
    "partition expressions",
    "default",
    "expression",
    "predicate",
    "condition",
    "using",
    "with check",
    "default of argument 1",
    "key 1 is upper",
    "definition is (",
    "definition is SELECT",
    "definition is WHERE",
    "body is RETURN",
    "body is BEGIN ATOMIC",
)
"""How lines go on after the object's name if only an expression differs."""

IN_OUTLINE = ("table t is", "column t.", "composite type c is")
"""How lines begin if the outline differs."""


def read(connection: Connection, schema: str, *statements: str) -> tuple[Catalogue, ...]:
    """Make a schema; return its outline and its sketch."""
    make(connection, schema, *statements)
    return read_again(connection)


def read_again(connection: Connection) -> tuple[Catalogue, ...]:
    """Return the outline and the sketch of the schema that was made last."""
    return tuple(reader(connection, IGNORED_TABLES) for reader in (read_outline, read_sketch))


@pytest.mark.parametrize("planted", PLANTED, ids=[planted.line for planted in PLANTED])
def test_each_kind_makes_a_difference(workbench: Connection, planted: Planted) -> None:
    """Only an expression makes none. In an outline a relation or a column makes one."""
    outline, sketch = read(workbench, "wanted", planted.common, planted.expected)
    other_outline, other_sketch = read(workbench, "real", planted.common, planted.found)
    _, _, ending = planted.line.partition(": ")
    assert (sketch != other_sketch) == (not ending.startswith(EXPRESSIONS))
    assert (outline != other_outline) == planted.line.startswith(IN_OUTLINE)


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_equal_schemas_have_equal_sketches(workbench: Connection, one: str, other: str) -> None:
    """However a schema came about."""
    assert read(workbench, "a", one) == read(workbench, "b", other)


def test_everything(workbench: Connection) -> None:
    """A sketch has the objects that the catalogue has."""
    catalogue = build(workbench, "one", EVERYTHING)
    outline, sketch = read_again(workbench)
    assert read(workbench, "other", EVERYTHING) == (outline, sketch)
    assert sketch.keys() == catalogue.keys()


def test_encodings(cluster: Cluster) -> None:
    """The digests of two databases with different encodings are equal."""
    one, other = (_encoded(cluster, encoding) for encoding in ("UTF8", "LATIN1"))
    assert one == other


def _encoded(cluster: Cluster, encoding: str) -> Catalogue:
    name = f"encoded_{encoding.lower()}"
    cluster.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    connection = cluster.connect(name)
    try:
        connection.autocommit = False
        return read(connection, "s", "CREATE TYPE \"Ü\" AS ENUM ('ß')")[1]
    finally:
        connection.close()
        cluster.execute(f"DROP DATABASE {name}")
