"""Who is in a migration's way, as one that reads the log wants to know it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import connection as Connection

# Other roles' state and query are hidden from a role that may not see all; a worker of autovacuum
# belongs to no role, which is not.
_COLUMNS = "pid, application_name, state, query_start, usesysid IS NULL"
_SESSIONS = f"SELECT {_COLUMNS} FROM pg_stat_activity WHERE pid = ANY (%s) ORDER BY pid"  # noqa: S608

# pg_blocking_pids has 0 for a prepared transaction, and does not say which.
_PREPARED = """
SELECT gid, owner::text, prepared FROM pg_prepared_xacts
WHERE database = current_database() ORDER BY prepared
"""


@dataclass(frozen=True)
class Blocker:
    """A session that has, or asked earlier for, what the migration asks for."""

    pid: int
    application: str = ""
    state: str | None = None
    since: datetime | None = None
    """When its query began, or its last one where it idles."""
    is_vacuum: bool = False
    """Whether it is a worker of autovacuum."""

    def __str__(self) -> str:
        facts = [self.application or ("autovacuum" if self.is_vacuum else "")]
        facts.append(self.state or "")
        facts.append(f"query since {self.since.astimezone():%H:%M:%S}" if self.since else "")
        known = ", ".join(fact for fact in facts if fact)
        return f"backend {self.pid} ({known})" if known else f"backend {self.pid}"


@dataclass(frozen=True)
class PreparedTransaction:
    """A transaction that belongs to no session any more, and keeps its locks."""

    name: str
    owner: str
    since: datetime

    def __str__(self) -> str:
        since = f"{self.since.astimezone():%Y-%m-%d %H:%M:%S}"
        return f"the prepared transaction {self.name!r} (of {self.owner}, since {since})"


AnyBlocker = Blocker | PreparedTransaction


def listed(blockers: Iterable[AnyBlocker]) -> str:
    """Return all of them as part of a sentence."""
    return ", ".join(map(str, blockers)) or "a session that has just ended"


def session_query(pid: int) -> str:
    """Return SQL, free of parameters, whose row is what a Blocker is made of."""
    return f"SELECT {_COLUMNS} FROM pg_stat_activity WHERE pid = {int(pid)}"  # noqa: S608


def find_blockers(connection: Connection, pids: Iterable[int]) -> tuple[AnyBlocker, ...]:
    """Return what is known of these backends; one that has ended meanwhile is left out."""
    wanted = sorted(set(pids))
    with connection.cursor() as cursor:
        cursor.execute(_SESSIONS, (wanted,))
        sessions = tuple(Blocker(*row) for row in cursor.fetchall())
    return sessions + (prepared_transactions(connection) if 0 in wanted else ())


def prepared_transactions(connection: Connection) -> tuple[PreparedTransaction, ...]:
    """Return the prepared transactions of this database, the oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(_PREPARED)
        return tuple(PreparedTransaction(*row) for row in cursor.fetchall())
