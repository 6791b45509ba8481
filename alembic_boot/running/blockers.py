"""The sessions and prepared transactions that block a migration, as the log names them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import connection as Connection

# PostgreSQL hides the state and the query of other roles' sessions. An autovacuum worker has no
# role, and that is visible.
_COLUMNS = "pid, application_name, state, query_start, usesysid IS NULL"
_SESSIONS = f"SELECT {_COLUMNS} FROM pg_stat_activity WHERE pid = ANY (%s) ORDER BY pid"  # noqa: S608

_PREPARED = """
SELECT gid, owner::text, prepared FROM pg_prepared_xacts AS found
WHERE database = current_database() AND {condition} ORDER BY prepared
"""

# pg_blocking_pids returns 0 for any prepared transaction. The one that blocks us holds the lock
# that our session waits for. All locks of a transaction have the same virtual number.
_HAS_IT = """
EXISTS (
    SELECT FROM pg_locks own
    JOIN pg_locks theirs ON theirs.virtualtransaction = own.virtualtransaction AND theirs.granted
    JOIN pg_locks ours
    ON (ours.locktype, ours.database, ours.relation, ours.page, ours.tuple, ours.transactionid,
        ours.classid, ours.objid, ours.objsubid)
    IS NOT DISTINCT FROM (theirs.locktype, theirs.database, theirs.relation, theirs.page,
        theirs.tuple, theirs.transactionid, theirs.classid, theirs.objid, theirs.objsubid)
    WHERE own.locktype = 'transactionid' AND own.transactionid = found.transaction
    AND own.pid IS NULL AND own.granted AND theirs.pid IS NULL
    AND NOT ours.granted AND ours.pid IN ({holder}))
"""


@dataclass(frozen=True)
class Blocker:
    """A session that holds the lock that the migration needs, or that asked for it earlier."""

    pid: int
    application: str = ""
    state: str | None = None
    since: datetime | None = None
    """The start of its query; of an idle session, of its last query."""
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
    """A prepared transaction: it has no session any more, and keeps its locks."""

    name: str
    owner: str
    since: datetime

    def __str__(self) -> str:
        since = f"{self.since.astimezone():%Y-%m-%d %H:%M:%S}"
        return f"the prepared transaction {self.name!r} (of {self.owner}, since {since})"


AnyBlocker = Blocker | PreparedTransaction


def listed(blockers: Iterable[AnyBlocker]) -> str:
    """Return all of them as part of a sentence."""
    return ", ".join(map(str, blockers)) or "a session that was not seen in time"


def session_query(pid: int) -> str:
    """Return SQL without parameters whose row has the fields of a Blocker."""
    return f"SELECT {_COLUMNS} FROM pg_stat_activity WHERE pid = {int(pid)}"  # noqa: S608


def find_blockers(
    connection: Connection, pids: Iterable[int], holder: str
) -> tuple[AnyBlocker, ...]:
    """Return these backends, which block the session that the query `holder` returns.

    A backend that has ended meanwhile is left out.
    """
    wanted = sorted(set(pids))
    with connection.cursor() as cursor:
        cursor.execute(_SESSIONS, (wanted,))
        sessions = tuple(Blocker(*row) for row in cursor.fetchall())
    if 0 not in wanted:
        return sessions
    return sessions + prepared_transactions(connection, _HAS_IT.format(holder=holder))


def prepared_transactions(
    connection: Connection, condition: str = "true"
) -> tuple[PreparedTransaction, ...]:
    """Return the prepared transactions of this database, the oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(_PREPARED.format(condition=condition))
        return tuple(PreparedTransaction(*row) for row in cursor.fetchall())
