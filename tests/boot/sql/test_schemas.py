"""The schemas of a text, as a table."""

from typing import NamedTuple

import pytest
from hypothesis import given, strategies as st

from alembic_boot.sql.schemas import Schemas
from tests.boot.sql.formatting import reformatted


class Names(NamedTuple):
    made: set[str]
    is_open: bool = False


OPEN = Names(set(), True)

SCHEMAS = {
    "CREATE TABLE t (u int REFERENCES app.u)": Names(set()),
    "SELECT 1 INTO app.t": Names({"app"}),
    "CREATE TABLE app.t AS SELECT 1": Names({"app"}),
    "CREATE FOREIGN TABLE app.t (a int) SERVER s": Names({"app"}),
    "CREATE TYPE app.m AS ENUM ('a')": Names({"app"}),
    "CREATE COLLATION app.c (locale = 'C')": Names({"app"}),
    "CREATE SCHEMA app CREATE TABLE t (a int) CREATE VIEW audit.v AS SELECT 1": (
        Names({"app", "audit"})
    ),
    "IMPORT FOREIGN SCHEMA a FROM SERVER s INTO app": Names({"app"}),
    "SELECT 'CREATE TABLE app.t ()'": Names(set()),
    "CREATE TABLE U&\"!0061pp\" UESCAPE '!'.t (a int)": Names({"app"}),
    "DO $$ BEGIN IF a THEN CREATE TABLE app.t (); END IF; END $$": Names({"app"}),
    "DO $$ BEGIN PERFORM set_config('search_path', 'app', true); END $$": Names({"app"}),
    "DO $$ BEGIN EXECUTE 'CREATE TABLE ' || 'app.t ()'; END $$": Names({"app"}),
    "DO $$ BEGIN EXECUTE format('CREATE TABLE %I.t ()', a); END $$": OPEN,
    "DO $$ BEGIN EXECUTE 'CREATE TABLE ' || a || '.t ()'; END $$": OPEN,
    "DO $$ BEGIN EXECUTE a; END $$": OPEN,
    "SELECT set_config('search_path', %(x)s, true)": OPEN,
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'CREATE TABLE app.t ()'": Names({"app"}),
    # PostgreSQL 18's: each name in it counts
    "ALTER TABLE app.t ADD CONSTRAINT c NOT NULL a NOT VALID": Names(
        {"add", "app", "c", "constraint", "not", "null", "t", "table", "a", "valid"}
    ),
    "CREATE TABLE app.t (); UPDATE what nobody can read": Names({"app"}),
    "SET search_path what nobody can read": OPEN,
}


def schemas(text: str) -> Names:
    found = Schemas()
    found.read_sql(text)
    return Names(found.made, found.is_open)


@pytest.mark.parametrize(("text", "expected"), SCHEMAS.items())
def test_schemas(text: str, expected: Names) -> None:
    """A name counts if something is made there, or if nobody can tell."""
    assert schemas(text) == expected


READABLE = [it for it in SCHEMAS if not {"nobody", "UESCAPE", "VALID"} & set(it.split())]


@given(st.sampled_from(READABLE), st.data())
def test_formatting_changes_no_answer(text: str, data: st.DataObject) -> None:
    """Comments, white space, case, quotes and parameters change nothing."""
    other = reformatted(data, text, frozenset({"app", "audit", "t", "a"}))
    assert schemas(other) == SCHEMAS[text]
