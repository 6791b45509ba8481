"""Read the tables that count for a schema's state, and list them in a useful order."""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass

from psycopg2.extensions import connection as Connection

from alembic_boot.environment.version_table import VersionTable
from alembic_boot.history.history import reached
from alembic_boot.state.journal_queries import JOURNAL_TABLE

# Ordinary, partitioned and foreign tables; without tables of extensions, and without partitions,
# because their parent is listed. `records` are tables in the form of version tables: other
# histories use them.
_TABLES = """
SELECT c.oid::text, n.nspname, c.relname, c.relnatts, ARRAY(
    SELECT confrelid::text FROM pg_constraint
    WHERE contype = 'f' AND conrelid = c.oid AND confrelid <> c.oid)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition
  AND n.nspname = ANY (%(schemas)s)
  AND NOT EXISTS (
      SELECT FROM pg_depend d
      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
  AND c.oid IS DISTINCT FROM (
      SELECT v.oid FROM pg_class v JOIN pg_namespace vn ON vn.oid = v.relnamespace
      WHERE vn.nspname = %(version_schema)s AND v.relname = %(version_table)s)
  AND c.relname <> %(journal_table)s
  AND NOT (n.nspname = %(records)s AND ARRAY(
      SELECT a.attname::text FROM pg_attribute a
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) = ARRAY['version_num'])
ORDER BY c.relname, n.nspname
"""

# The schemas of the search_path, and the other schemas with tables.
_SCHEMAS = """
WITH setting AS MATERIALIZED (
    SELECT set_config('search_path',
                      coalesce(%(setting)s, current_setting('search_path')), true)),
path AS MATERIALIZED (SELECT current_schemas(false)::text[] AS names FROM setting)
SELECT names, ARRAY(
    SELECT n.nspname::text FROM pg_namespace n
    WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND n.nspname <> ALL (names)
      AND EXISTS (
          SELECT FROM pg_class c
          WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition))
FROM path
"""


@dataclass(frozen=True)
class Extent:
    """The schemas whose tables count.

    `choose` gets the names of all other schemas with tables, and returns those that the models or
    the history name. It reads files, so it is called only if there are such schemas.
    """

    path: str | None = None
    """The search_path of env.py, as it is set; None means that of this session."""
    choose: Callable[[frozenset[str]], Set[str]] = lambda _others: frozenset()


SEARCH_PATH = Extent()
"""The extent for a session without a project."""


@dataclass(frozen=True)
class CountedTable:
    """A table that counts."""

    oid: str
    name: str
    """The name with its schema, unless that is on the search_path."""
    columns: int
    parents: frozenset[str]


def list_tables(
    connection: Connection, version_table: VersionTable, extent: Extent = SEARCH_PATH
) -> tuple[str, ...]:
    """Return the names of the tables that count, parents before the tables that refer to them.

    A parent always has more descendants than its children, so their number sorts parents first.
    Among equals the wider table comes first: entities before link tables.
    """
    tables = counted_tables(connection, version_table, extent)
    children: dict[str, list[str]] = {table.oid: [] for table in tables}
    for table in tables:
        for parent in children.keys() & table.parents:
            children[parent].append(table.oid)
    sizes = {oid: len(reached([oid], children.__getitem__)) for oid in children}
    order = sorted(tables, key=lambda it: (-sizes[it.oid], -it.columns, it.name))
    return tuple(table.name for table in order)


def search_path(connection: Connection, setting: str | None) -> tuple[str, ...]:
    """Return the schemas in which names are looked up now, by a setting or by this session's own.

    Their existence changes while revisions run. The setting lasts until the transaction ends.
    """
    return tuple(_schemas(connection, setting)[0])


def _schemas(connection: Connection, setting: str | None) -> tuple[Sequence[str], Sequence[str]]:
    with connection.cursor() as cursor:
        cursor.execute(_SCHEMAS, {"setting": setting})
        [(path, others)] = cursor.fetchall()
    return path, others


def counted_tables(
    connection: Connection, version_table: VersionTable, extent: Extent
) -> list[CountedTable]:
    """Return the tables that count, sorted by their names."""
    path, others = _schemas(connection, extent.path)
    named = {*path, *extent.choose(frozenset(others))}
    schema = version_table.schema
    parameters = {
        "schemas": [*named, *([schema] if schema else [])],
        "version_table": version_table.name,
        "version_schema": schema,
        "journal_table": JOURNAL_TABLE,
        "records": None if schema in named else schema,
    }
    with connection.cursor() as cursor:
        cursor.execute(_TABLES, parameters)
        return [
            CountedTable(
                oid, name if schema in path else f"{schema}.{name}", columns, frozenset(parents)
            )
            for oid, schema, name, columns, parents in cursor.fetchall()
        ]
