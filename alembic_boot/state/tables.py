"""Read the tables that count for a schema's state, and list them in a useful order."""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from psycopg2.extensions import connection as Connection

from alembic_boot.environment.version_table import VersionTable
from alembic_boot.state.journal import JOURNAL_TABLE

# Ordinary, partitioned and foreign tables; without tables of extensions, and without partitions,
# because their parent is listed. `records` are tables in the form of version tables: other
# histories use them.
_TABLES = """
SELECT c.oid, n.nspname, c.relname, c.relnatts
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

_OTHER_SCHEMAS = """
SELECT n.nspname FROM pg_namespace n
WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND n.nspname <> ALL (%s)
  AND EXISTS (
      SELECT FROM pg_class c
      WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition)
"""

_PATH = """
WITH setting AS MATERIALIZED (
    SELECT set_config('search_path',
                      coalesce(%(setting)s, current_setting('search_path')), true))
SELECT current_schemas(false)::text[] FROM setting
"""

_REFERENCES = """
SELECT conrelid, confrelid FROM pg_constraint WHERE contype = 'f' AND conrelid <> confrelid
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
class _Table:
    oid: int
    schema: str
    name: str
    columns: int


def table_names(
    connection: Connection, version_table: VersionTable, extent: Extent
) -> tuple[str, ...]:
    """Return the names of the tables that count; outside of the search_path with their schema."""
    path, tables = _tables(connection, version_table, extent)
    return tuple(_shown(table, path) for table in tables)


def list_tables(
    connection: Connection, version_table: VersionTable, extent: Extent = SEARCH_PATH
) -> tuple[str, ...]:
    """Return the same names, parents before the tables that refer to them.

    A parent always has more descendants than its children, so their number sorts parents first.
    Among equals the wider table comes first: entities before link tables.
    """
    path, tables = _tables(connection, version_table, extent)
    with connection.cursor() as cursor:
        cursor.execute(_REFERENCES)
        references = cursor.fetchall()
    children: dict[int, set[int]] = {table.oid: set() for table in tables}
    for child, parent in references:
        if child in children and parent in children:
            children[parent].add(child)
    order = sorted(
        tables, key=lambda table: (-_descendants(table.oid, children), -table.columns, table.name)
    )
    return tuple(_shown(table, path) for table in order)


def search_path(connection: Connection, setting: str | None = None) -> tuple[str, ...]:
    """Return the schemas in which names are looked up now, by a setting or by this session's own.

    Their existence changes while revisions run. The setting lasts until the transaction ends.
    """
    with connection.cursor() as cursor:
        cursor.execute(_PATH, {"setting": setting})
        [(path,)] = cursor.fetchall()
    return tuple(path)


def _tables(
    connection: Connection, version_table: VersionTable, extent: Extent
) -> tuple[Sequence[str], list[_Table]]:
    path = search_path(connection, extent.path)
    with connection.cursor() as cursor:
        cursor.execute(_OTHER_SCHEMAS, (list(path),))
        chosen = extent.choose(frozenset(name for (name,) in cursor.fetchall()))
        named = {*path, *chosen}
        records = version_table.schema if version_table.schema not in named else None
        cursor.execute(
            _TABLES,
            {
                "schemas": [*named, *_known(version_table.schema)],
                "version_table": version_table.name,
                "version_schema": version_table.schema,
                "journal_table": JOURNAL_TABLE,
                "records": records,
            },
        )
        return path, [_Table(*row) for row in cursor.fetchall()]


def _known(schema: str | None) -> Iterable[str]:
    return () if schema is None else (schema,)


def _shown(table: _Table, path: Sequence[str]) -> str:
    return table.name if table.schema in path else f"{table.schema}.{table.name}"


def _descendants(oid: int, children: Mapping[int, set[int]]) -> int:
    found: set[int] = set()
    waiting = [oid]
    while waiting:
        new = children[waiting.pop()] - found
        found |= new
        waiting += new
    return len(found)
