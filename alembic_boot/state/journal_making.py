"""Create the journal of a database that plain Alembic has made current."""

import logging
from contextlib import closing

import psycopg2
from psycopg2.extensions import connection as Connection

from alembic_boot.errors import BootError
from alembic_boot.postgres.connection import connected, one_line
from alembic_boot.postgres.urls import DatabaseUrl
from alembic_boot.sql.writing import literal, quoted
from alembic_boot.state.journal import Journal

_log = logging.getLogger(__name__)

_MAY_MAKE = """
SELECT ({shape}) IS NULL AND has_schema_privilege({role}, {schema}, 'CREATE')
   AND pg_has_role({role}, {membership})
   AND current_setting('transaction_read_only') = 'off',
   current_user::text
"""

_SET_OPTION = 160000
"""The PostgreSQL version since which a member may lack the right to SET ROLE."""


def make_journal_if_absent(url: DatabaseUrl, journal: Journal, owner: str | None) -> None:
    """Create the journal if there is none, writable for boot's own role and its owner.

    `owner` is the role of env.py, which creates the tables. If boot's own role may not work as that
    role, the first migration creates the journal.

    No starter waits: of several at once one creates the journal, and the others continue. If it
    cannot be created, the log says so, and the first migration reports the reason.
    """
    schema = journal.version_table.schema
    if schema is None or owner is None:
        return
    try:
        with connected(url) as connection:
            _make(connection, journal, schema, owner)
    except (psycopg2.Error, BootError) as error:
        cause = one_line(error) if isinstance(error, psycopg2.Error) else error.what
        _log.warning("The journal %s could not be made: %s", journal.table, cause)


def _make(connection: Connection, journal: Journal, schema: str, owner: str) -> None:
    query = _MAY_MAKE.format(
        shape=journal.shape_query,
        schema=literal(schema),
        role=literal(owner),
        membership="'SET'" if connection.server_version >= _SET_OPTION else "'MEMBER'",
    )
    with closing(connection.cursor()) as cursor:
        cursor.execute(query)
        [(may_make, own_role)] = cursor.fetchall()
        if not may_make:
            return
        cursor.execute("BEGIN")
        cursor.execute(f"SELECT pg_try_advisory_xact_lock({journal.making_key})")
        if cursor.fetchone() == (True,):
            settings = f"SET LOCAL lock_timeout = '1s'; SET LOCAL ROLE {quoted(owner)}"
            cursor.execute("; ".join((settings, *journal.create_statements(own_role))))
        cursor.execute("COMMIT")
