"""Read the schemas of a database as plain data, for comparison with another database.

Properties that depend only on how a schema was made are normalised: the position of columns, the
names of NOT NULL constraints and of owned sequences, and expressions that another parse would
change. Left out completely: privileges, owners, comments, storage parameters, objects of
extensions, and data.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from psycopg2.extensions import TRANSACTION_STATUS_IDLE, connection as Connection, cursor as Cursor
from psycopg2.extras import register_default_jsonb

from alembic_boot.adoption import table_queries as tables, type_queries as types
from alembic_boot.adoption.comparison import Catalogue, ObjectKey, Value
from alembic_boot.adoption.reparsing import (
    Trip,
    body_trip,
    expression_trip,
    reparse,
    rule_trip,
    view_trip,
)
from alembic_boot.sql.writing import constant

IGNORED_TABLES = frozenset({"alembic_version", "schema_journal"})
"""Tables with records about the schema, which are not part of it."""

# Settings that change how constants and names are deparsed. A session, a role or a database may
# have its own.
_SETTINGS = {
    "bytea_output": "hex",
    "DateStyle": "ISO, YMD",
    "extra_float_digits": "1",
    "IntervalStyle": "postgres",
    "lc_monetary": "C",
    "quote_all_identifiers": "off",
    "standard_conforming_strings": "on",
    "TimeZone": "UTC",
    "transform_null_equals": "off",
}

# Queries whose definitions are expressions.
QUERIES = (
    tables.TABLES,
    tables.COLUMNS,
    tables.CONSTRAINTS,
    tables.INDEXES,
    tables.SEQUENCES,
    tables.TRIGGERS,
    tables.POLICIES,
    types.ENUMS,
    types.DOMAINS,
    types.DOMAIN_CONSTRAINTS,
    types.COMPOSITE_TYPES,
    types.RANGES,
    types.FUNCTIONS,
)
# The other queries, with the property for their definition, and how to parse it again.
WHOLE: tuple[tuple[str, str, Callable[..., Trip]], ...] = (
    (tables.VIEWS, "definition", view_trip),
    (tables.RULES, "definition", rule_trip),
    (types.BODIES, "body", body_trip),
)

_SAVEPOINT = "boot_catalogue"
_REGCLASS = re.compile(r"'((?:[^']|'')+)'::regclass")

Parameters = Mapping[str, Any]
"""The parameters of a query."""

_Objects = dict[ObjectKey, dict[str, Value]]
_Trips = list[tuple[ObjectKey, str, Trip]]


def read_by(
    read: Callable[[Cursor, Parameters], Catalogue],
    connection: Connection,
    ignored_tables: frozenset[str] = IGNORED_TABLES,
    schemas: Sequence[str] | None = None,
    lock_timeout: float = 10,
) -> Catalogue:
    """Return the content of the schemas, as `read` finds it: those on the search_path, or given.

    Objects of the first schema have unqualified names, so that schemas of different names can be
    compared; all others are qualified. The connection is in autocommit, or in a transaction.
    Raises CatalogueUnreadableError if temporary views cannot be created. Raises psycopg2's
    LockNotAvailable if a session keeps a table locked for more than so many seconds.
    """
    with connection.cursor(cursor_factory=Cursor) as cursor, _rolled_back(cursor):
        # The connection may have another kind of cursor, or another conversion of JSON.
        register_default_jsonb(cursor)
        names = _schemas(cursor) if schemas is None else list(schemas)
        _set_session(cursor, names, lock_timeout)
        parameters = {"schemas": names, "ignored": sorted(ignored_tables)}
        cursor.execute(tables.RELATIONS, parameters)
        relations = [oid for (oid,) in cursor.fetchall()]
        return read(cursor, {**parameters, "relations": relations})


@contextmanager
def _rolled_back(cursor: Cursor) -> Iterator[None]:
    """Run the block in a transaction or, within one, a savepoint, and roll it back at the end.

    The rollback also restores the settings.
    """
    begin, undo = "BEGIN", "ROLLBACK"
    if cursor.connection.info.transaction_status != TRANSACTION_STATUS_IDLE:
        begin, undo = f"SAVEPOINT {_SAVEPOINT}", f"ROLLBACK TO {_SAVEPOINT}; RELEASE {_SAVEPOINT}"
    cursor.execute(begin)
    try:
        yield
    finally:
        if not cursor.connection.closed:
            cursor.execute(undo)


def _schemas(cursor: Cursor) -> list[str]:
    cursor.execute(
        "SELECT name FROM unnest(current_schemas(false)) WITH ORDINALITY path (name, position)"
        " WHERE name <> 'information_schema' AND NOT starts_with(name, 'pg_') ORDER BY position"
    )
    return [name for (name,) in cursor.fetchall()]


def _set_session(cursor: Cursor, schemas: Sequence[str], lock_timeout: float) -> None:
    """Make names and constants deparse in the same way on every server.

    Only the first schema is on the search_path; pg_temp, otherwise searched before it, comes last,
    so that a temporary table hides nothing.
    """
    settings = {
        **_SETTINGS,
        "jit": "off",  # compiling takes longer than these queries
        "statement_timeout": "0",  # that timeout is for an application
        "lock_timeout": f"{round(lock_timeout * 1000)}ms",
    }
    cursor.execute(
        "SELECT set_config('search_path', concat_ws(', ', quote_ident(%s), 'pg_temp'), true),"
        " set_config(name, value, true) FROM unnest(%s, %s) AS setting (name, value)",
        (schemas[0] if schemas else None, list(settings), list(settings.values())),
    )


def _read(cursor: Cursor, parameters: Parameters) -> _Objects:
    objects: _Objects = {}
    trips: _Trips = []
    for query in QUERIES:
        for key, [expressions] in _rows(cursor, query, parameters, objects):
            for name, parts in expressions.items():
                trips.append((key, name, expression_trip(**parts)))
    for query, name, make_trip in WHOLE:
        for key, parts in _rows(cursor, query, parameters, objects):
            trips.append((key, name, make_trip(*parts)))
    parsed = reparse(cursor, (trip for _, _, trip in trips))
    cursor.execute(tables.SEQUENCE_NAMES, parameters)
    sequences = {_literal(name): _literal(normalised) for name, normalised in cursor.fetchall()}
    for key, name, trip in trips:
        objects[key][name] = _REGCLASS.sub(
            lambda match: sequences.get(match[0], match[0]), parsed[trip]
        )
    return objects


def _rows(
    cursor: Cursor, query: str, parameters: Parameters, objects: _Objects
) -> Iterator[tuple[ObjectKey, list[Any]]]:
    """Add the objects of a query; yield their keys with the text that must be parsed again.

    Two queries may add to the same object.
    """
    cursor.execute(query, parameters)
    for kind, name, part, properties, *rest in cursor.fetchall():
        key = ObjectKey(kind, name, part)
        objects.setdefault(key, {}).update(
            (name, tuple(value) if isinstance(value, list) else value)
            for name, value in properties.items()
        )
        yield key, rest


def _literal(name: str) -> str:
    return f"{constant(name)}::regclass"


read_catalogue = partial(read_by, _read)
"""Read schemas in full."""
