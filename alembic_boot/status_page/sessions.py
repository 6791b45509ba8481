"""The processes that are connected to the database, by the names of their sessions."""

import re
from collections.abc import Iterable
from datetime import datetime

from psycopg2.extensions import connection as Connection

from alembic_boot.status_page.report import Session

MOST_SESSIONS = 100

# Every role sees the names; the rest only if it may.
_SESSIONS = """
SELECT application_name, host(client_addr), min(backend_start), count(*)
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND usesysid IS NOT NULL
GROUP BY 1, 2 ORDER BY 1, 2 LIMIT 500
"""

_NAME = re.compile(r"(?P<name>.*?)(?: (?P<release>v?\d[\w.+-]*))?(?:: host (?P<host>[^,]+),.*)?")

_STARTER = "boot"

Row = tuple[str, str | None, datetime | None, int]


def read_sessions(connection: Connection) -> tuple[Session, ...]:
    """Return the connected processes, those that start first."""
    with connection.cursor() as cursor:
        cursor.execute(_SESSIONS)
        return grouped(cursor.fetchall())


def grouped(rows: Iterable[Row]) -> tuple[Session, ...]:
    """Return a session for each name, release and host, whose connections are counted."""
    found: dict[tuple[str, str | None, str | None], Session] = {}
    for text, address, since, count in rows:
        name, release, host = _parts(text)
        where = host or address
        before = found.get((name, release, where))
        times = [it for it in (since, before.since if before else None) if it is not None]
        found[name, release, where] = Session(
            application=name or "unnamed",
            is_starter=name == _STARTER,
            release=release,
            host=where,
            since=min(times, default=None),
            count=count + (before.count if before else 0),
        )
    return tuple(sorted(found.values(), key=lambda it: not it.is_starter)[:MOST_SESSIONS])


def _parts(text: str) -> tuple[str, str | None, str | None]:
    match = _NAME.fullmatch(text)
    return (match["name"], match["release"], match["host"]) if match else (text, None, None)
