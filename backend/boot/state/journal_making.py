"""Make the journal of a database that is current already, as plain Alembic leaves it."""

import logging
from contextlib import closing

import psycopg2

from backend.boot.postgres.connection import connected, one_line
from backend.boot.postgres.urls import DatabaseUrl
from backend.boot.sql.writing import literal
from backend.boot.state.journal import Journal

_log = logging.getLogger(__name__)

_MAY_MAKE = """
SELECT ({shape}) IS NULL AND has_schema_privilege({schema}, 'CREATE')
   AND current_setting('transaction_read_only') = 'off'
"""


def make_journal_if_absent(url: DatabaseUrl, journal: Journal, other_role: str | None) -> None:
    """Make the journal, for this role and the other to write it, if there is none.

    No starter waits: of several at once one makes the journal, and the others go on. If it cannot
    be made, the first migration says why.
    """
    schema = journal.version_table.schema
    if schema is None or other_role is None:
        return
    with connected(url) as connection, closing(connection.cursor()) as cursor:
        query = _MAY_MAKE.format(shape=journal.shape_query, schema=literal(schema))
        cursor.execute(query)
        if cursor.fetchone() != (True,):
            return
        statements = journal.create_statements(other_role)
        cursor.execute("BEGIN")
        try:
            cursor.execute(f"SELECT pg_try_advisory_xact_lock({journal.making_key})")
            if cursor.fetchone() == (True,):
                cursor.execute("; ".join(("SET LOCAL lock_timeout = '1s'", *statements)))
        except psycopg2.Error as error:
            if connection.closed:
                raise
            cursor.execute("ROLLBACK")
            _log.warning("The journal %s could not be made: %s", journal.table, one_line(error))
            return
        cursor.execute("COMMIT")
