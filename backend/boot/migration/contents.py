"""What people have in a database, and how a scratch is rid of it again."""

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from backend.boot.catalogue.other_queries import OTHERS
from backend.boot.state.journal import JOURNAL_TABLE

MARK = "boot_scratch"
"""A schema by which a database is known that was found empty: all in it is a replay's.

It comes first and goes last, so that what a killed replay leaves behind can be told from what
somebody keeps there.
"""

# Whatever people can have in a database, by PostgreSQL's own name for the kind and with the
# identity that DROP takes; in an order in which they can be dropped: a table takes its identity
# sequences along, a range type its constructors. An extension that somebody else has installed,
# because our role may not, is there to stay.
_OBJECTS = f"""
WITH people AS (
    SELECT oid FROM pg_namespace
    WHERE nspname <> 'information_schema' AND nspname !~ '^pg_'),
found (classid, objid) AS (
    SELECT 'pg_class'::regclass, oid FROM pg_class
    WHERE relnamespace IN (SELECT oid FROM people) AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    UNION ALL
    SELECT 'pg_type'::regclass, t.oid FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
    WHERE typnamespace IN (SELECT oid FROM people)
      AND (typtype IN ('e', 'd', 'r') OR c.relkind = 'c')
    UNION ALL
    SELECT 'pg_proc'::regclass, oid FROM pg_proc
    WHERE pronamespace IN (SELECT oid FROM people)
    UNION ALL
    SELECT 'pg_namespace'::regclass, oid FROM pg_namespace
    WHERE oid IN (SELECT oid FROM people) AND nspname <> 'public'
    UNION ALL
    SELECT * FROM ({OTHERS}) others
    WHERE classid <> 'pg_extension'::regclass
       OR objid IN (SELECT oid FROM pg_extension WHERE pg_has_role(extowner, 'USAGE')))
SELECT object.type, object.identity
FROM found, LATERAL pg_identify_object(classid, objid, 0) AS object
WHERE NOT EXISTS (
    SELECT FROM pg_depend d
    WHERE d.classid = found.classid AND d.objid = found.objid AND d.deptype = 'e')
ORDER BY object.identity = %s,
    array_position(ARRAY['table', 'type'], object.type), object.type, object.identity
"""  # noqa: S608 (the query of the others)

_SPELLED = {"foreign-data wrapper": "FOREIGN DATA WRAPPER", "statistics object": "STATISTICS"}
"""What DROP calls otherwise."""

# One that waits for its client ends by itself, when that is gone.
_END_WORK = """
SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND state = 'active'
  AND pid <> pg_backend_pid()
"""


def objects(connection: Connection) -> list[tuple[str, str]]:
    """Return all that people have in a database, each with its kind, in the order to drop it."""
    with connection.cursor() as cursor:
        cursor.execute(_OBJECTS, (MARK,))
        return cursor.fetchall()


def mark(connection: Connection) -> None:
    """Say of an empty database that all in it is a replay's."""
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(MARK)))


def is_marked(found: list[tuple[str, str]]) -> bool:
    """Whether these objects are a replay's."""
    return ("schema", MARK) in found


def has_journal(found: list[tuple[str, str]]) -> bool:
    """Whether somebody has migrated here in earnest since: a replay keeps no journal."""
    return any(it[1].endswith(f".{JOURNAL_TABLE}") for it in found)


def empty(connection: Connection) -> None:
    """Drop all that people have in a database, the mark last."""
    while left := objects(connection):
        kind, identity = left[0]
        kind = _SPELLED.get(kind, kind)
        with connection.cursor() as cursor:
            cursor.execute(f"DROP {kind} IF EXISTS {identity} CASCADE")


def end_work(connection: Connection) -> None:
    """End what a killed replay has left running here."""
    with connection.cursor() as cursor:
        cursor.execute(_END_WORK)
