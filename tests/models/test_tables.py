"""Promises that hold for every table, those to come included."""

import pytest
from sqlalchemy import Constraint, DateTime, ForeignKeyConstraint, Index, Table, UniqueConstraint

from backend.models import Base

TABLES = Base.metadata.sorted_tables

# Counts of a digest are no thing that somebody made.
THINGS = [table for table in TABLES if table.name != "attempts"]

every_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)

every_thing = pytest.mark.parametrize("table", THINGS, ids=lambda table: table.name)

POSTGRES_NAME_LENGTH = 63


def test_the_tables_of_the_service() -> None:
    """The service has these tables; parents come before their children."""
    names = [table.name for table in TABLES]
    assert set(names) == {
        "users",
        "books",
        "pages",
        "dialogues",
        "dialogue_translations",
        "dialogue_audios",
        "audios",
        "voices",
        "attempts",
    }
    chain = ["users", "books", "pages", "dialogues", "dialogue_translations"]
    assert sorted(chain, key=names.index) == chain


@every_thing
def test_the_database_makes_the_key(table: Table) -> None:
    """A row gets its id where it is stored, however it came there."""
    [key] = table.primary_key.columns
    assert key.name == "id"
    assert key.server_default is not None


@every_table
def test_times_have_a_zone(table: Table) -> None:
    """No timestamp depends on the session's time zone."""
    times = [column.type for column in table.columns if isinstance(column.type, DateTime)]
    assert all(it.timezone for it in times)


@every_thing
def test_it_is_known_when_a_thing_was_made(table: Table) -> None:
    assert {"created_at", "updated_at"} <= set(table.columns.keys())


@every_table
def test_foreign_keys_cascade_and_are_indexed(table: Table) -> None:
    """Deleting a parent deletes its children, without reading the whole table to find them."""
    leading = {index.columns[0].name for index in table.indexes if len(index.columns)} | {
        next(iter(constraint.columns)).name
        for constraint in table.constraints
        if isinstance(constraint, UniqueConstraint)
    }
    keys = [key for key in table.constraints if isinstance(key, ForeignKeyConstraint)]
    assert all(key.ondelete == "CASCADE" for key in keys)
    assert {key.column_keys[0] for key in keys} <= leading


@every_table
def test_names_are_not_cut_off(table: Table) -> None:
    """Each constraint and index has a name, which PostgreSQL keeps in full."""
    named: list[Constraint | Index] = [*table.constraints, *table.indexes]
    assert all(item.name and len(str(item.name)) <= POSTGRES_NAME_LENGTH for item in named)
