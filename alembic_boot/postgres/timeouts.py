"""The timeouts by which PostgreSQL ends a statement, a transaction or a session.

Servers, databases and roles have them for the application. A migration may run for a long time, and
may compute for a long time between two statements.
"""

from psycopg2.extensions import connection as Connection

# transaction_timeout exists since PostgreSQL 17, so only settings that exist are changed.
TIMEOUTS = """
('statement_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout',
 'idle_session_timeout')
"""

LIFT_IN_TRANSACTION = f"""
SELECT count(set_config(name, '0', true)) FROM pg_settings WHERE name IN {TIMEOUTS}
"""  # noqa: S608 (a constant)
"""SQL that removes the timeouts until the transaction ends; it works through a pooler as well."""

LIFT_OTHERS = f"""
SELECT string_agg(concat_ws(' ', name, source, now), ',')
FROM (
    SELECT name, source, CASE WHEN source IN ('session', 'client') THEN setting
                         ELSE set_config(name, '0', false) END AS now
    FROM pg_settings WHERE name IN {TIMEOUTS}) AS lifted
WHERE now <> '0'
"""  # noqa: S608 (a constant)
"""SQL that removes the timeouts for the life of a session that is not lent by a pooler.

It keeps those that the session or its URL has set itself, and returns them as one text.
"""

_LIFT = f"""
SELECT count(set_config(name, '0', false)) FROM pg_settings
WHERE name IN {TIMEOUTS} AND pg_backend_pid() = {{told}}
"""  # noqa: S608 (a constant)


def lift(connection: Connection) -> None:
    """Remove the timeouts for the life of the connection.

    Behind a pooler the session serves other clients next, so it stays as it is: a pooler is
    recognised by the invented process id that it gives its clients.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LIFT.format(told=connection.info.backend_pid))
