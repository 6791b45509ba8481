"""Schemas that tests build: one with everything, and pairs that are the same."""

from pathlib import Path

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from alembic_boot.adoption.comparison import Catalogue
from alembic_boot.adoption.reading import read_catalogue
from tests.boot.adoption.planted import IN, PARTITIONED, T
from tests.cluster import OWNER

# One of everything that the comparison knows, with what is known to come out of a dump changed.
EVERYTHING = (Path(__file__).parent / "everything.sql").read_text()


def make(connection: Connection, schema: str, *statements: str) -> None:
    """Make a schema, and look into it from now on."""
    cursor = connection.cursor()
    cursor.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    cursor.execute(sql.SQL("SET LOCAL search_path = {}").format(sql.Identifier(schema)))
    for statement in filter(None, statements):
        cursor.execute(statement)


def build(connection: Connection, schema: str, *statements: str) -> Catalogue:
    """Make a schema and read it."""
    make(connection, schema, *statements)
    return read_catalogue(connection)


SAME = {
    "the position of a column": (
        "CREATE TABLE t (a int, b int)",
        "CREATE TABLE t (c int, b int); ALTER TABLE t DROP c; ALTER TABLE t ADD a int",
    ),
    "the name of a NOT NULL constraint": (
        "CREATE TABLE t (a int NOT NULL)",
        "CREATE TABLE t (b int NOT NULL); ALTER TABLE t RENAME b TO a",
    ),
    "the name of a serial column's sequence": (
        "CREATE TABLE t (a serial)",
        'CREATE TABLE "u\'" (a serial); ALTER TABLE "u\'" RENAME TO t',
    ),
    "the name of an identity column's sequence": (
        "CREATE TABLE t (a int GENERATED ALWAYS AS IDENTITY)",
        "CREATE TABLE t (b int GENERATED ALWAYS AS IDENTITY); ALTER TABLE t RENAME b TO a",
    ),
    "the order of an enum's making": (
        "CREATE TYPE e AS ENUM ('a', 'b', 'c', 'd')",
        "CREATE TYPE e AS ENUM ('a', 'd');"
        "ALTER TYPE e ADD VALUE 'c' BEFORE 'd'; ALTER TYPE e ADD VALUE 'b' BEFORE 'c'",
    ),
    "an expression as it was written": (
        f"{T}; ALTER TABLE t ADD CONSTRAINT k CHECK ({IN})",
        f"{T}; ALTER TABLE t ADD CONSTRAINT k CHECK (b = ANY (ARRAY['x', 'y']::varchar[]))",
    ),
    "collations that only the column settles": (
        'CREATE TABLE t (a text COLLATE "C", b text COLLATE "POSIX",'
        " c text GENERATED ALWAYS AS (a || b) STORED)",
    )
    * 2,
    "privileges": (
        "CREATE TABLE t (a int); CREATE VIEW v AS SELECT 1 AS a",
        f"CREATE TABLE t (a int); CREATE VIEW v AS SELECT 1 AS a;"
        f"GRANT SELECT ON t, v TO {OWNER}; GRANT UPDATE (a) ON t TO PUBLIC",
    ),
    "owners": (
        "CREATE TABLE t (a serial); CREATE TYPE e AS ENUM (); CREATE VIEW v AS SELECT 1 AS a",
        "CREATE TABLE t (a serial); CREATE TYPE e AS ENUM (); CREATE VIEW v AS SELECT 1 AS a;"
        f"ALTER TABLE t OWNER TO {OWNER}; ALTER TYPE e OWNER TO {OWNER};"
        f"ALTER VIEW v OWNER TO {OWNER}",
    ),
    "an extension": ("", "CREATE EXTENSION vector"),
    "an extension's tables and types": (
        "",
        "CREATE EXTENSION vector; CREATE TABLE t (a serial PRIMARY KEY, b text DEFAULT 'x');"
        "CREATE TYPE e AS ENUM ('a'); CREATE TYPE c AS (a int);"
        "ALTER EXTENSION vector ADD TABLE t; ALTER EXTENSION vector ADD TYPE e;"
        "ALTER EXTENSION vector ADD TYPE c",
    ),
    "records about the schema": (
        "",
        "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);"
        "CREATE TABLE schema_journal (id int GENERATED ALWAYS AS IDENTITY, at text DEFAULT 'x')",
    ),
    "names of a partition's copies": (
        f"{PARTITIONED} LIST (a); CREATE TABLE u (a int PRIMARY KEY);"
        "CREATE TABLE p PARTITION OF t DEFAULT; ALTER TABLE t ADD CONSTRAINT k"
        " FOREIGN KEY (a) REFERENCES u",
        f"{PARTITIONED} LIST (a); CREATE TABLE u (a int PRIMARY KEY);"
        "CREATE TABLE p (a int CONSTRAINT own REFERENCES u, b varchar(20));"
        "ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES u;"
        "ALTER TABLE t ATTACH PARTITION p DEFAULT",
    ),
}
