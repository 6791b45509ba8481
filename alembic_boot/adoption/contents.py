"""The user objects of a database, and how to remove them from a scratch database."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from psycopg2.extensions import connection as Connection

from alembic_boot.adoption.other_queries import OTHERS

MARK = "boot_scratch"
"""A schema that marks a database as a scratch database: it was empty, and a replay uses it.

It is created first and dropped last, and its comment lists the replay's objects.
"""

# All kinds of user objects, by PostgreSQL's own name for the kind and with the identity that DROP
# accepts, in an order in which they can be dropped. A table's identity sequences are dropped with
# it, and a range type's constructors with the type. An extension that another role has installed,
# because our role may not, stays.
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
"""Kinds with another name in DROP."""


class Object(NamedTuple):
    """An object of a user."""

    kind: str
    identity: str
    """Its name in the form of DROP."""
    address: str
    """Its address: another object of the same name has another address."""

    def __str__(self) -> str:
        return f"{self.kind} {self.identity}"


def objects(connection: Connection) -> list[Object]:
    """Return all user objects of a database, in the order to drop them; the mark comes last."""
    with connection.cursor() as cursor:
        cursor.execute(_OBJECTS, (MARK,))
        return [Object(*row) for row in cursor.fetchall()]


def is_mark(found: Object) -> bool:
    """Return whether this is the mark of a scratch database."""
    return (found.kind, found.identity) == ("schema", MARK)


def some(found: Sequence[Object]) -> str:
    """Return the first few of these by name."""
    return ", ".join(map(str, found[:5]))


def empty(connection: Connection, addresses: Collection[str] | None = None) -> None:
    """Drop all user objects of a database, or only those at these addresses; the mark last."""
    while left := [
        it
        for it in objects(connection)
        if addresses is None or it.address in addresses or is_mark(it)
    ]:
        kind = _SPELLED.get(left[0].kind, left[0].kind)
        with connection.cursor() as cursor:
            cursor.execute(f"DROP {kind} IF EXISTS {left[0].identity} CASCADE")
