"""PostgreSQL's own `lock_timeout`, for the statements of a revision.

The server ends the wait, so the wait ends even if this process hangs. But code in the server may
catch the error, and then this process does not hear of it. The watch ends the waits of statements
that may run such code, because the watch knows which wait it has ended.
"""

from alembic_boot.environment.session import MigrationSession
from alembic_boot.sql.statement import (
    begins_with_control,
    begins_with_rollback,
    fails_without_its_lock,
    is_single,
)

# Asked once: it takes the server as long as a small revision.
_FOUND = """
SELECT source IN ('session', 'client'), reset_val::int FROM pg_settings
WHERE name = 'lock_timeout'
"""

_GRACE = 10.0
"""Seconds that the server waits longer than the watch, in case the watch cannot see or has ended.
"""

_SET = "set_config('lock_timeout', '{limit}', true)"

_OUTWAIT_VACUUM = """
SELECT set_config('lock_timeout', (2 * setting::int)::text, true)
FROM pg_settings WHERE name = 'deadlock_timeout'
"""


class LockTimeout:
    """The lock_timeout of each transaction, until the revision sets its own.

    `is_own` says that env.py or its URL has set one, which stays.
    """

    def __init__(self, session: MigrationSession) -> None:
        self._session = session
        is_own, of_role = session.ask(_FOUND)
        # Behind a pooler the session's settings are another client's. What env.py has set in its
        # own transaction is in `carried`.
        self.is_own = "lock_timeout" in session.carried or (bool(is_own) and session.is_direct)
        self._most = int(of_role) or None
        """Milliseconds that the role or the database has as a limit, if it has one."""
        self._is_ours = False
        """Whether boot may set it."""
        self._brief, self._patient = 0.0, 0.0
        """Seconds for a statement that fails after them, and for any other statement."""
        self._now: float | None = None
        """The seconds that are set now; None if that is not known."""

    def beginning(self, tables: float, rows: float) -> tuple[str, ...]:
        """Return, as columns of SQL, what sets the limit in a transaction that has just begun:
        to the seconds that a table is waited for, and rows.
        """
        self._is_ours = not self.is_own
        self._brief, self._patient = tables, rows + _GRACE
        return self._columns(self._brief)

    def leave(self) -> None:
        """Leave the limit as it is from here on."""
        self._is_ours = False

    def executing(self, statement: str, *, may_prefix: bool) -> str:
        """Set the limit for a statement that comes next.

        With `may_prefix`, return SQL to send in front of it: alone it would take a round trip.
        """
        if begins_with_control(statement):
            self._now = None  # with a savepoint goes what was set since
            if is_single(statement) or begins_with_rollback(statement):
                return ""
        seconds = self._brief if fails_without_its_lock(statement) else self._patient
        if seconds == self._now:
            return ""
        if may_prefix:
            return "".join(f"SELECT {it};\n" for it in self._columns(seconds))
        self._set(seconds)
        return ""

    def may_have_ended(self, seconds: float) -> bool:
        """Return whether our limit may have ended a statement after so many seconds.

        With NOWAIT it fails at once. If the role's own limit is shorter, it would have failed
        without us.
        """
        if not self._is_ours or self._now is None or seconds < self._now:
            return False
        return self._most is None or self._most > self._now * 1000

    def outwait_vacuum(self) -> None:
        """Set it longer than a vacuum needs to cancel itself, until `tables` is called."""
        self._session.ask(_OUTWAIT_VACUUM)
        self._now = None

    def tables(self) -> None:
        """Set it to that for tables again."""
        self._set(self._brief)

    def _set(self, seconds: float) -> None:
        for column in self._columns(seconds):
            self._session.ask(f"SELECT {column}")

    def _columns(self, seconds: float) -> tuple[str, ...]:
        if not self._is_ours:
            return ()
        self._now = seconds
        # 0 would be no limit at all.
        limit = max(1, round(seconds * 1000))
        limit = limit if self._most is None else min(limit, self._most)
        return (_SET.format(limit=limit),)
