"""Read the facts that `inspect` needs, and the tables as people want to see them listed."""

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg2 import errors
from psycopg2.extensions import connection as Connection

from backend.boot.environment.version_table import VersionTable
from backend.boot.errors import LoginRefusedError
from backend.boot.state.inspection import DatabaseFacts
from backend.boot.state.journal import JOURNAL_TABLE, Journal

# Tables, partitioned and foreign ones; neither an extension's own nor anybody's partitions, which
# their parent stands for.
_TABLES = """
SELECT c.oid, c.relname, c.relnatts
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition
  AND n.nspname = ANY (current_schemas(false))
  AND NOT EXISTS (
      SELECT FROM pg_depend d
      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
  AND c.oid IS DISTINCT FROM to_regclass(concat_ws(
      '.', quote_ident(%(version_schema)s), quote_ident(%(version_table)s)))
  AND c.relname <> %(journal_table)s
ORDER BY c.relname
"""

_SCHEMA = """
SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = to_regclass(%s)
"""

_IS_HIDDEN = """
SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s AND NOT has_schema_privilege(n.oid, 'USAGE')
"""
"""PostgreSQL itself says of a table in such a schema that there is none."""

_PATIENCE = "2s"

# A pooler may lend a session that others have led elsewhere.
_SET = """
SET LOCAL lock_timeout = '{patience}';
SELECT set_config(name, reset_val, true) FROM pg_settings
WHERE name = 'search_path' AND source = 'session'
"""

_LOCKERS = """
SELECT DISTINCT coalesce(nullif(application_name, ''), 'a session') || ', backend ' || pid
FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock' AND granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND relation IN (to_regclass(%s), to_regclass(%s))
"""

_REFERENCES = """
SELECT conrelid, confrelid FROM pg_constraint WHERE contype = 'f' AND conrelid <> confrelid
"""


@dataclass(frozen=True)
class _Table:
    oid: int
    name: str
    columns: int


def read_facts(
    connection: Connection, version_table: VersionTable, timeout: int = 0
) -> DatabaseFacts:
    """Return the recorded revisions, the tables of people's own, and what the journal says.

    All of it is of one moment: seen one after the other, the first revision of somebody else's
    migration would look like tables without a revision. `timeout` bounds each statement, in
    milliseconds; 0 does not. The connection is in autocommit. Raises psycopg2's LockNotAvailable
    where somebody keeps one of the tables locked for longer than a moment.
    """
    with connection.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute(_SET.format(patience=_PATIENCE))
        if timeout:
            cursor.execute("SET LOCAL statement_timeout = %s", (timeout,))
        try:
            version_table = _found(connection, version_table)
            facts = DatabaseFacts(
                read_current(connection, version_table),
                tuple(table.name for table in _tables(connection, version_table)),
                Journal(version_table).applied(connection),
            )
        except errors.LockNotAvailable:
            cursor.execute("ROLLBACK")
            raise
        cursor.execute("COMMIT")
    return facts


def lockers(connection: Connection, journal: Journal) -> str:
    """Say which sessions keep the version table or the journal from being read."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCKERS, (str(journal.version_table), journal.table))
        return ", ".join(name for (name,) in cursor.fetchall()) or "who has just ended"


def list_tables(connection: Connection, version_table: VersionTable) -> tuple[str, ...]:
    """Return the tables, parents before what refers to them.

    A parent always has more descendants than its children, so their number sorts parents first;
    among equals the wider table comes first: entities stand before what links them.
    """
    tables = _tables(connection, version_table)
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
    return tuple(table.name for table in order)


def _descendants(oid: int, children: Mapping[int, set[int]]) -> int:
    found: set[int] = set()
    waiting = [oid]
    while waiting:
        new = children[waiting.pop()] - found
        found |= new
        waiting += new
    return len(found)


def _tables(connection: Connection, version_table: VersionTable) -> list[_Table]:
    with connection.cursor() as cursor:
        cursor.execute(
            _TABLES,
            {
                "version_table": version_table.name,
                "version_schema": version_table.schema,
                "journal_table": JOURNAL_TABLE,
            },
        )
        return [_Table(*row) for row in cursor.fetchall()]


def _found(connection: Connection, version_table: VersionTable) -> VersionTable:
    """Return the table with the schema that it is in, where only its name was known."""
    if version_table.schema is not None:
        return version_table
    with connection.cursor() as cursor:
        cursor.execute(_SCHEMA, (str(version_table),))
        [schema] = cursor.fetchone() or [None]
    return VersionTable(version_table.name, schema)


def read_current(connection: Connection, version_table: VersionTable) -> tuple[str, ...]:
    """Return the rows of the version table, sorted; none where there is no such table."""
    with connection.cursor() as cursor:
        cursor.execute(_IS_HIDDEN, (version_table.schema, version_table.name))
        if cursor.fetchone() is not None:
            raise LoginRefusedError(
                f"This role may not use the schema {version_table.schema}, where the revision is.",
                "Grant it USAGE on the schema, or set MIGRATION_DATABASE_URL to the owner's.",
            )
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (str(version_table),))
        if cursor.fetchone() != (True,):
            return ()
        cursor.execute(f"SELECT version_num FROM {version_table}")  # noqa: S608 (quoted)
        return tuple(sorted(str(row) for (row,) in cursor.fetchall()))
