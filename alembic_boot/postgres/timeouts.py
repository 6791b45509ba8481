"""The timeouts by which PostgreSQL ends a statement, a transaction or a session.

A server, a database or a role has them for the application's sake. A migration may take long, and
compute for long between two statements.
"""

from psycopg2.extensions import connection as Connection

# transaction_timeout came with PostgreSQL 17, so the settings are taken as they are there.
TIMEOUTS = """
('statement_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout',
 'idle_session_timeout')
"""

LIFT_IN_TRANSACTION = f"""
SELECT count(set_config(name, '0', true)) FROM pg_settings WHERE name IN {TIMEOUTS}
"""  # noqa: S608 (a constant)
"""Lifts them until the transaction ends, which works through a pooler as well."""

_LIFT = f"""
SELECT count(set_config(name, '0', false)) FROM pg_settings
WHERE name IN {TIMEOUTS} AND pg_backend_pid() = {{told}}
"""  # noqa: S608 (a constant)


def lift(connection: Connection) -> None:
    """Lift them for as long as the connection lives.

    Behind a pooler the session is lent to others next, and is left as it is: a pooler tells its
    clients a process id of its own making.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LIFT.format(told=connection.info.backend_pid))
