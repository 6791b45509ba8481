"""Watch the migration's session from a second one: what blocks it, and which sessions it blocks.

PostgreSQL's own `lock_timeout` does not know how many sessions wait behind it. The watch does. The
key that the migration's session holds identifies it, behind a pooler as well.
"""

import logging
import time

import psycopg2
from psycopg2 import errors
from psycopg2.extensions import connection as Connection

from alembic_boot.output.log_fields import fields
from alembic_boot.postgres.advisory import AdvisoryKey
from alembic_boot.running.backoff import Harm, Look
from alembic_boot.running.blockers import AnyBlocker, Blocker, find_blockers
from alembic_boot.running.budget import Budget
from alembic_boot.running.long_work import LongWork

_log = logging.getLogger(__name__)

_INTERVAL, _QUIET_INTERVAL = 0.04, 0.06
"""Seconds between two looks, and the longest pause while no session waits. A look comes before the
shortest wait ends. A statement that is quicker than the first look costs nothing.
"""

_REPEAT = 5.0
"""Seconds before the line about waiting sessions is repeated."""

_KNOWN = 1.0
"""Seconds before the blockers' state is read again."""

# Every role may see all of these locks. In pg_stat_activity a role sees only a part.
_LOOK = """
WITH ours AS MATERIALIZED ({holder}),
waiting AS MATERIALIZED (
    SELECT pid, lock, pg_blocking_pids(pid) AS blockers
    FROM (SELECT pid, min(concat_ws(' ', locktype, database, relation, page, tuple, virtualxid,
                                    transactionid, classid, objid, objsubid, mode)) AS lock
          FROM pg_locks WHERE NOT granted GROUP BY pid) AS waiting)
SELECT pid, blockers, CASE WHEN pid IN (SELECT pid FROM ours) THEN lock END FROM waiting
WHERE pid IN (SELECT pid FROM ours) OR blockers && ARRAY(SELECT pid FROM ours)
"""

# One statement looks and cancels. With two, our statement could get its lock in between, and the
# cancel would hit its work.
_CANCEL = """
SELECT pg_cancel_backend(pid)
FROM (SELECT DISTINCT pid FROM pg_locks WHERE NOT granted AND pid IN ({holder})) AS waiting
"""

_TABLE = """
SELECT format('%I.%I', n.nspname, c.relname)
FROM pg_locks l
JOIN pg_class c ON c.oid = l.relation
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE l.locktype = 'relation' AND NOT l.granted AND l.pid IN ({holder})
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND c.relkind IN ('r', 'p', 'm')
"""


class TrafficWatch:
    """Watches one try of one revision; each call of `look` takes one look.

    No other code uses the connection meanwhile.
    """

    def __init__(
        self, connection: Connection, key: AdvisoryKey, label: str, budget: Budget
    ) -> None:
        self._connection = connection
        self._holder = key.holder_query
        self.label = label
        self._budget = budget
        self._looked_at = time.monotonic()
        self._interval = _INTERVAL
        self._seen: set[int] = set()
        self._seen_at = float("-inf")
        self._harm = Harm()
        self._warned_at = float("-inf")
        self._long_work = LongWork(connection, self._holder, label)
        self._has_failed = False
        self.may_cancel = True
        """Whether our statement may be cancelled if other sessions wait too long behind it."""
        self.has_cancelled = False
        self.is_waited_for = False
        """Whether a session waited for us at the last look."""
        self.blockers: tuple[AnyBlocker, ...] = ()
        """The sessions that blocked our statement when it waited last."""
        self.vacuumed: str | None = None
        """The table, as SQL writes it, that an autovacuum worker had locked."""

    @property
    def cost(self) -> float:
        """Seconds that other sessions have waited so far, in total."""
        return self._harm.in_queue + self._harm.at_work

    def look(self) -> None:
        """Look if it is time, and cancel our statement or log what blocks it.

        After an error there are no more looks. `lock_timeout` still limits each wait, and the
        regular look at the lock notices a dead server.
        """
        if self._has_failed:
            return
        try:
            self._look_if_due()
        except psycopg2.Error as error:
            _log.debug("The watch over other sessions has ended: %s", error)
            self._has_failed = True

    def _look_if_due(self) -> None:
        if time.monotonic() - self._looked_at < self._interval:
            return
        look = self._look()
        self.is_waited_for = bool(look.blocked)
        is_quiet = look == Look()
        self._interval = min(self._interval * 1.5, _QUIET_INTERVAL) if is_quiet else _INTERVAL
        now = time.monotonic()
        seconds = now - self._looked_at
        self._harm = self._harm.after(look, seconds)
        self._looked_at = now
        if look.is_waiting:
            self._budget.waited(seconds)
        if self.may_cancel and self._must_end(look):
            self._end_wait()
        elif self._harm.is_worth_a_word and look.blocked:
            self._warn(look, now)
        self._long_work.look(self.blockers, now, is_waiting=look.is_waiting)

    def _look(self) -> Look:
        with self._connection.cursor() as cursor:
            cursor.execute(_LOOK.format(holder=self._holder))
            rows = cursor.fetchall()
        waited_for = {pid for _, blockers, lock in rows if lock is not None for pid in blockers}
        is_known = waited_for == self._seen and time.monotonic() - self._seen_at < _KNOWN
        if waited_for and not is_known:
            self._name(waited_for)
        return Look(
            next((lock for *_, lock in rows if lock is not None), None),
            frozenset(pid for pid, _, lock in rows if lock is None),
        )

    def _name(self, pids: set[int]) -> None:
        self._seen, self._seen_at = pids, time.monotonic()
        self.blockers = find_blockers(self._connection, pids, self._holder)
        self.vacuumed = None
        if any(isinstance(it, Blocker) and it.is_vacuum for it in self.blockers):
            with self._connection.cursor() as cursor:
                cursor.execute(_TABLE.format(holder=self._holder))
                [self.vacuumed] = cursor.fetchone() or [None]

    def _must_end(self, look: Look) -> bool:
        is_over = look.is_waiting and self._budget.is_over(self._harm.lasted)
        return is_over or self._harm.is_too_much(look, self._budget.tries)

    def _end_wait(self) -> None:
        before = self.has_cancelled
        self.has_cancelled = True  # should the answer be lost, it may have been done
        self.has_cancelled = self._cancel() or before

    def _cancel(self) -> bool:
        """Cancel our statement if it waits; return whether the cancel was sent."""
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(_CANCEL.format(holder=self._holder))
                return any(was_told for (was_told,) in cursor.fetchall())
        except errors.InsufficientPrivilege:  # env.py became another role
            self.may_cancel = False
            return False

    def _warn(self, look: Look, now: float) -> None:
        if now - self._warned_at < _REPEAT:
            return
        self._warned_at = now
        _log.warning(
            "Migration %s blocks %s (%.0f s of waiting in total)",
            self.label,
            "1 session" if look.blocked == 1 else f"{look.blocked} sessions",
            self.cost,
            extra=fields("blocking", label=self.label, sessions=look.blocked),
        )
