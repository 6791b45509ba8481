"""Recognise whether two sessions, of any driver, are on the same database."""

from psycopg2.extensions import connection as Connection

# Copies of a server have the same system identifier, but not the same start time in microseconds.
_IDENTITY = """
SELECT extract(epoch FROM pg_postmaster_start_time())::text, oid::text
FROM pg_database WHERE datname = current_database()
"""

_IS_SAME = """
SELECT extract(epoch FROM pg_postmaster_start_time())::text = '{started}' AND oid = {oid}
FROM pg_database WHERE datname = current_database()
"""


def same_database_query(connection: Connection) -> str:
    """Return a query, without parameters, that is true only in the database of this connection.

    No connection stays open meanwhile. Behind a pooler with few connections, starters that keep one
    while env.py asks for another would block each other.
    """
    with connection.cursor() as cursor:
        cursor.execute(_IDENTITY)
        [(started, oid)] = cursor.fetchall()
    return _IS_SAME.format(started=started, oid=oid)
