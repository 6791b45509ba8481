"""How far a statement reaches, as a table."""

import pytest
from hypothesis import given, strategies as st

from alembic_boot.sql.reach import Reach, Reaches
from tests.boot.sql.formatting import reformatted

SHARED, OUTSIDE, UNKNOWN = Reach.SHARED, Reach.OUTSIDE, Reach.UNKNOWN

REACHES: dict[str, set[Reach]] = {
    # inside the database
    "": set(),
    "-- DROP ROLE x\nSELECT 'DROP ROLE x'": set(),
    "ALTER TABLE role DROP database, ADD role int": set(),
    "GRANT SELECT ON t TO PUBLIC": set(),
    "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC": set(),
    "CREATE USER MAPPING FOR PUBLIC SERVER s": set(),
    "COMMENT ON TABLE role IS 'x'": set(),
    "UPDATE app.pg_database SET a = 1": set(),
    "SELECT FROM pg_database": set(),
    "COPY t FROM STDIN": set(),
    "COPY (SELECT 1) TO STDOUT": set(),
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'": set(),
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END": set(),
    "SELECT ts_stat('SELECT 1')": set(),
    "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w": set(),
    "UPDATE t SET a = %(x)s WHERE b LIKE '100%%'": set(),
    "DO $$ BEGIN NEW.role := 1; comment := 'x'; END $$": set(),
    "DO $$ DECLARE a int; BEGIN INSERT INTO t VALUES (1) RETURNING a INTO a; END $$": set(),
    "DO $$ BEGIN IF a THEN PERFORM 1 FOR UPDATE; END IF; EXECUTE 'SELECT 1'; END $$": set(),
    "CREATE TRIGGER a AFTER INSERT ON t EXECUTE FUNCTION f()": set(),
    # what all databases share
    "CREATE ROLE x": {SHARED},
    "/* a /* it's */ */ alter user x SET a = 'b'": {SHARED},
    "ALTER ROLE a PASSWORD %(x)s": {SHARED},
    "ALTER ROLE a RENAME TO b": {SHARED},
    "ALTER DATABASE a OWNER TO b": {SHARED},
    "DROP DATABASE a": {SHARED},
    "ALTER SYSTEM SET a = 1": {SHARED},
    "DROP OWNED BY a": {SHARED},
    "GRANT a TO b": {SHARED},
    "REVOKE CONNECT ON DATABASE a FROM b": {SHARED},
    "GRANT SET ON PARAMETER a TO b": {SHARED},
    "COMMENT ON ROLE a IS 'x'": {SHARED},
    "SECURITY LABEL FOR x ON ROLE a IS 'y'": {SHARED},
    "WITH x AS (DELETE FROM ONLY pg_catalog.pg_authid RETURNING 1) SELECT 1": {SHARED},
    "COPY pg_authid FROM STDIN": {SHARED},
    "COPY t FROM '/x'": {SHARED},
    "COPY t TO %(x)s": {SHARED},
    "CREATE RULE r AS ON INSERT TO t DO ALSO UPDATE pg_database SET a = 1": {SHARED},
    'SELECT "pg_reload_conf"()': {SHARED},
    "SELECT U&\"pg!005freload_conf\" UESCAPE '!' ()": {SHARED},
    "CALL pg_catalog.lo_export(1, '/x')": {SHARED},
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT pg_reload_conf(); END": {SHARED},
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT pg_reload_conf()'": {SHARED},
    "DO $$ BEGIN IF a THEN DROP ROLE b; END IF; END $$": {SHARED},
    'DO $$ BEGIN a := 1 + "pg_reload_conf"(); END $$': {SHARED},
    "DO $$ BEGIN EXECUTE 'DROP ROLE ' || 'a'; END $$": {SHARED, UNKNOWN},
    "DO $$ BEGIN EXECUTE format('ALTER ROLE %I SET a = %L', b, c); END $$": {SHARED, UNKNOWN},
    "DO $$ BEGIN EXECUTE 'ALTER ROLE ' || quote_ident(b) || ' SET a = 1'; END $$": {
        SHARED,
        UNKNOWN,
    },
    "DO $$ BEGIN EXECUTE concat('ALTER ROLE ', b, ' SET a = ', quote_literal(c)); END $$": {
        SHARED,
        UNKNOWN,
    },
    "DO $$ BEGIN EXECUTE replace('DROP ROLE x'::text, 'x', a); END $$": {SHARED, UNKNOWN},
    "DO $$ BEGIN EXECUTE($x$DROP ROLE a$x$) INTO b; END $$": {SHARED},
    "SELECT query_to_xml('DROP ROLE a', true, true, '')": {SHARED},
    # another server
    "SELECT dblink_exec('x', 'y')": {OUTSIDE},
    "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw": {OUTSIDE},
    "CREATE FOREIGN DATA WRAPPER w HANDLER h; CREATE SERVER s FOREIGN DATA WRAPPER w": {OUTSIDE},
    "IMPORT FOREIGN SCHEMA a FROM SERVER b INTO c": {OUTSIDE},
    "COPY t TO PROGRAM 'x'": {OUTSIDE},
    "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p": {OUTSIDE},
    "ALTER SUBSCRIPTION s OWNER TO a": {OUTSIDE},
    # what nobody can tell
    "LOAD 'x'": {UNKNOWN},
    "CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'a', 'b'": {UNKNOWN},
    "DO LANGUAGE plpython3u 'x'": {UNKNOWN},
    "DO %(x)s": {UNKNOWN},
    "DO $$ BEGIN EXECUTE a; END $$": {UNKNOWN},
    "DO $$ BEGIN FOR a IN EXECUTE format('SELECT %s', 1) LOOP END LOOP; END $$": {UNKNOWN},
    "DO $$ BEGIN ALTER TABLE t ADD CONSTRAINT c NOT NULL a NOT VALID; END $$": {UNKNOWN},
    "SELECT ts_stat(a) FROM t": {UNKNOWN},
    "ALTER TABLE t ADD CONSTRAINT c NOT NULL a NOT VALID": {UNKNOWN},  # PostgreSQL 18's
    "what nobody can read": {UNKNOWN},
}


def reaches(text: str) -> set[Reach]:
    return {found.reach for found in Reaches().of(text)}


@pytest.mark.parametrize(("text", "expected"), REACHES.items())
def test_reach(text: str, expected: set[Reach]) -> None:
    """A text that the parser cannot read reaches an unknown place."""
    assert reaches(text) == expected


NAMES = frozenset({"t", "a", "b", "role", "database"})


READABLE = [it for it in REACHES if not {"nobody", "UESCAPE"} & set(it.split())]


@given(st.sampled_from(READABLE), st.data())
def test_formatting_changes_no_answer(text: str, data: st.DataObject) -> None:
    """Comments, white space, case and quotes change nothing."""
    assert reaches(reformatted(data, text, NAMES)) == REACHES[text]


def test_no_value_is_shown() -> None:
    """A part of a text that is put together may be a part of a secret."""
    text = "DO $$ BEGIN EXECUTE 'ALTER ROLE a PASSWORD ''s3' || 'cret'''; END $$"
    shown = {it.text for it in Reaches().of(text)}
    assert shown == {"EXECUTE '…' || '…'"}
