"""Every revision can be taken back, on a database that is in use."""

from itertools import pairwise

import pytest

from alembic_boot.adoption.comparison import compare
from tests.migrations.migrated import Migrated
from tests.migrations.project import revisions
from tests.migrations.rows import add_rows, row_counts

pytestmark = pytest.mark.slow  # together they take ten seconds

HISTORY = revisions()


@pytest.mark.parametrize(("before", "revision"), list(pairwise(["base", *HISTORY])))
def test_up_down_and_up_again_with_rows(migrated: Migrated, before: str, revision: str) -> None:
    """A downgrade gives back the schema of before, and keeps every row that has a place there."""
    for passed in HISTORY[: HISTORY.index(revision)]:
        migrated.upgrade(passed)
        with migrated.engine.begin() as connection:
            add_rows(connection, passed)
    schema_before = migrated.schema()
    with migrated.engine.connect() as connection:
        rows_before = row_counts(connection)

    migrated.upgrade(revision)
    schema_after = migrated.schema()
    with migrated.engine.begin() as connection:
        add_rows(connection, revision)
    assert compare(schema_after, schema_before)

    migrated.downgrade(before)
    assert compare(migrated.schema(), schema_before) == ()
    with migrated.engine.connect() as connection:
        assert rows_before == row_counts(connection)

    migrated.upgrade(revision)
    assert compare(migrated.schema(), schema_after) == ()
    with migrated.engine.connect() as connection:
        assert rows_before.items() <= row_counts(connection).items()


def test_base_leaves_nothing(migrated: Migrated) -> None:
    """After a downgrade to base the database is as new, rows or not, and can be used again."""
    for revision in HISTORY:
        migrated.upgrade(revision)
        with migrated.engine.begin() as connection:
            add_rows(connection, revision)
    with migrated.engine.connect() as connection:
        assert all(row_counts(connection).values()), "a table has no row: the test proves less"
    schema_of_head = migrated.schema()

    migrated.downgrade("base")
    assert migrated.schema() == {}
    assert migrated.rows("SELECT version_num FROM alembic_version") == []

    migrated.upgrade("head")
    assert compare(migrated.schema(), schema_of_head) == ()
