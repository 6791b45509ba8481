"""What people have in a database, and how a scratch is rid of it again."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from psycopg2.extensions import connection as Connection

from alembic_boot.adoption.other_queries import OTHERS

MARK = "boot_scratch"
"""A schema by which a database is known that was found empty, for a replay to work in.

It comes first and goes last, and its comment says what of the rest is the replay's.
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
SELECT object.type, object.identity, concat(classid::oid, '/', objid)
FROM found, LATERAL pg_identify_object(classid, objid, 0) AS object
WHERE NOT EXISTS (
    SELECT FROM pg_depend d
    WHERE d.classid = found.classid AND d.objid = found.objid AND d.deptype = 'e')
ORDER BY object.identity = %s,
    array_position(ARRAY['table', 'type'], object.type), object.type, object.identity
"""  # noqa: S608 (the query of the others)

_SPELLED = {"foreign-data wrapper": "FOREIGN DATA WRAPPER", "statistics object": "STATISTICS"}
"""What DROP calls otherwise."""


class Object(NamedTuple):
    """Something that people can have in a database."""

    kind: str
    identity: str
    """Its name, as DROP takes it."""
    address: str
    """Which one it is: another one of the name has another address."""

    def __str__(self) -> str:
        return f"{self.kind} {self.identity}"


def objects(connection: Connection) -> list[Object]:
    """Return all that people have in a database, in the order to drop it; the mark comes last."""
    with connection.cursor() as cursor:
        cursor.execute(_OBJECTS, (MARK,))
        return [Object(*row) for row in cursor.fetchall()]


def is_mark(found: Object) -> bool:
    """Whether this is the mark of a scratch."""
    return (found.kind, found.identity) == ("schema", MARK)


def some(found: Sequence[Object]) -> str:
    """Return the first few of these by name."""
    return ", ".join(map(str, found[:5]))


def empty(connection: Connection, addresses: Collection[str] | None = None) -> None:
    """Drop all that people have in a database, or what is at these addresses; the mark last."""
    while left := [
        it
        for it in objects(connection)
        if addresses is None or it.address in addresses or is_mark(it)
    ]:
        kind = _SPELLED.get(left[0].kind, left[0].kind)
        with connection.cursor() as cursor:
            cursor.execute(f"DROP {kind} IF EXISTS {left[0].identity} CASCADE")
