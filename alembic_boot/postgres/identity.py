"""Whether two sessions, of whatever driver, are on one and the same database."""

from psycopg2.extensions import connection as Connection

# Copies of a server have the same system identifier; they do not start in the same microsecond.
_IDENTITY = """
SELECT extract(epoch FROM pg_postmaster_start_time())::text, oid::text
FROM pg_database WHERE datname = current_database()
"""

_SERVER = "SELECT extract(epoch FROM pg_postmaster_start_time())::text"

_IS_SAME = """
SELECT extract(epoch FROM pg_postmaster_start_time())::text = '{started}' AND oid = {oid}
FROM pg_database WHERE datname = current_database()
"""


def same_database_query(connection: Connection) -> str:
    """Return a query, free of parameters, that is true in the database of this connection only.

    It holds nothing open meanwhile: behind a pooler that lends few connections, starters that
    kept one while env.py asks for another would wait for each other.
    """
    with connection.cursor() as cursor:
        cursor.execute(_IDENTITY)
        [(started, oid)] = cursor.fetchall()
    return _IS_SAME.format(started=started, oid=oid)


def server(connection: Connection) -> str:
    """Return what tells one server from another, and one from what it is after a restart."""
    with connection.cursor() as cursor:
        cursor.execute(_SERVER)
        [(started,)] = cursor.fetchall()
    return str(started)
