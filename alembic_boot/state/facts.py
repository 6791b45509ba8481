"""Read the facts that `inspect` needs."""

from collections.abc import Callable

from psycopg2.extensions import connection as Connection

from alembic_boot.environment.version_table import VersionTable
from alembic_boot.errors import LoginRefusedError, MigrationFailedError
from alembic_boot.postgres.timeouts import LIFT_IN_TRANSACTION
from alembic_boot.sql.writing import quoted
from alembic_boot.state.access import Access, asking
from alembic_boot.state.inspection import DatabaseFacts
from alembic_boot.state.journal import Journal
from alembic_boot.state.tables import SEARCH_PATH, Extent, counted_tables

Agreed = Callable[[tuple[str, ...]], str | None]
"""Returns the digest of a journal without differences, for the rows of the version table."""

_SCHEMA = """
SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = to_regclass(%s)
"""

# A table in a schema that the role may not use comes first. PostgreSQL itself reports such a table
# as missing, or raises. The names in a search_path are read one by one, because `current_schemas`
# leaves out those that the role may not use.
_VERSION_TABLE = """
SELECT may_use, n.nspname, current_user::text,
    may_use AND (has_table_privilege(c.oid, 'SELECT') OR EXISTS (
        SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'version_num'
            AND has_column_privilege(c.oid, attnum, 'SELECT'))),
    c.relrowsecurity OR c.relkind = 'v',
    EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = c.oid AND attname = 'version_num' AND NOT attisdropped)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL has_schema_privilege(n.oid, 'USAGE') AS may_use
WHERE c.relname = %(name)s AND CASE
    WHEN %(schema)s IS NOT NULL THEN n.nspname = %(schema)s
    WHEN may_use THEN pg_table_is_visible(c.oid)
    ELSE n.nspname = ANY (
        SELECT CASE btrim(part, ' "') WHEN '$user' THEN session_user ELSE btrim(part, ' "') END
        FROM unnest(string_to_array(current_setting('search_path'), ',')) AS part) END
ORDER BY may_use
"""

_PATIENCE = "2s"

# A pooler may lend a session whose search_path other clients have changed.
_BEGIN = f"""
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL lock_timeout = '{_PATIENCE}';
SET LOCAL row_security = on;
SELECT set_config(name, reset_val, true) FROM pg_settings
WHERE name = 'search_path' AND source = 'session';
{LIFT_IN_TRANSACTION};
SELECT set_config('statement_timeout', %s::text, true)
"""  # noqa: S608 (constants)

_LOCKERS = """
SELECT DISTINCT coalesce(nullif(application_name, ''), 'a session') || ', backend ' || pid
FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock' AND granted
  AND pid <> pg_backend_pid()
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (%(tables)s::text[] = '{}'
       OR relation IN (SELECT to_regclass(name) FROM unnest(%(tables)s::text[]) AS name))
"""


def read_facts(
    connection: Connection,
    version_table: VersionTable,
    timeout: int = 0,
    extent: Extent = SEARCH_PATH,
    agreed: Agreed = lambda _current: None,
) -> DatabaseFacts:
    """Return the recorded revisions, the tables that count, and the state of the journal.

    A journal with the digest that `agreed` returns is not read: its rows may be thousands.

    Everything is read in one snapshot. Otherwise, during another session's migration, its first
    revision could look like tables without a revision. `timeout` limits each statement, in
    milliseconds; 0 means no limit. The connection is in autocommit. Raises LoginRefusedError if the
    role may not see all rows of the version table. Raises psycopg2's LockNotAvailable if another
    session keeps one of the tables locked for longer than a moment.
    """
    with connection.cursor() as cursor:
        try:
            cursor.execute(_BEGIN, (timeout,))
            version_table = located(connection, version_table)
            current = read_current(connection, version_table)
            # The tables do not matter if the revision of a schema is known.
            counted = () if current else counted_tables(connection, version_table, extent)
            tables = tuple(table.name for table in counted)
            journal = Journal(version_table)
            applied, refusal, digest = journal.read(connection, agreed(current))
            is_at_base = bool(tables) and not digest and journal.ends_at_base(connection)
            facts = DatabaseFacts(current, tables, applied, refusal, digest, is_at_base)
        except BaseException:
            # A pool that lent this connection would lend it again in the failed transaction.
            if not connection.closed:
                cursor.execute("ROLLBACK")
            raise
        cursor.execute("COMMIT")
    return facts


def lockers(connection: Connection, *tables: str) -> str:
    """Return the sessions that block reads of these tables, or of any; empty if none does now."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCKERS, {"tables": list(tables)})
        return ", ".join(name for (name,) in cursor.fetchall())


def located(connection: Connection, version_table: VersionTable) -> VersionTable:
    """Return the version table with its schema, if only its name was known."""
    if version_table.schema is not None:
        return version_table
    with connection.cursor() as cursor:
        cursor.execute(_SCHEMA, (str(version_table),))
        [schema] = cursor.fetchone() or [None]
    return VersionTable(version_table.name, schema)


def read_current(connection: Connection, version_table: VersionTable) -> tuple[str, ...]:
    """Return the rows of the version table, sorted; none if the table does not exist.

    Raises LoginRefusedError if the role may not see all of them.
    """
    with connection.cursor() as cursor:
        names = {"schema": version_table.schema, "name": version_table.name}
        cursor.execute(_VERSION_TABLE, names)
        if (found := cursor.fetchone()) is None:
            return ()
        may_use, schema, role, may_read, may_hide, has_column = found
        if not may_use:
            raise LoginRefusedError(
                f"The role {role} may not use the schema {schema}, where the revision is.",
                f"Run `GRANT USAGE ON SCHEMA {quoted(schema)} TO {quoted(role)}` as the schema's "
                "owner, or set MIGRATION_DATABASE_URL to the owner's.",
            )
        table = str(version_table)
        rights = Access(table, role, may_read, may_hide)
        if refusal := rights.refusal():
            raise refusal
        if not has_column:
            raise MigrationFailedError(
                f"{table} should hold the revision, but has no column version_num.",
                "Rename it, or let env.py name another version_table. Nothing was changed.",
            )
        cursor.execute(f"SELECT version_num FROM {table}")  # noqa: S608 (quoted)
        rows = tuple(sorted(str(row) for (row,) in cursor.fetchall()))
    if refusal := rights.why_incomplete(asking(connection), len(rows)):
        raise refusal
    return rows
