"""How long a revision's statements wait for a lock: PostgreSQL's own `lock_timeout`.

It is the server that ends the wait, so it ends as well where this process hangs.
"""

from backend.boot.environment.session import MigrationSession
from backend.boot.traffic.ladder import Work, work_of

# Asked once: it takes the server as long as a small revision.
_FOUND = """
SELECT source IN ('session', 'client'), reset_val::int FROM pg_settings
WHERE name = 'lock_timeout'
"""

_SET = "set_config('lock_timeout', '{limit}', true)"

_OUTWAIT_VACUUM = """
SELECT set_config('lock_timeout', (2 * setting::int)::text, true)
FROM pg_settings WHERE name = 'deadlock_timeout'
"""


class LockLimit:
    """The limit in one transaction after the other; each has it until the revision sets its own.

    `is_own` says whether env.py, or its URL, has set one: that is left as it is.
    """

    def __init__(self, session: MigrationSession) -> None:
        self._session = session
        is_own, of_role = session.ask(_FOUND)
        # What a pooler's session has is somebody else's, but for what env.py's transaction set.
        self.is_own = "lock_timeout" in session.carried or (bool(is_own) and session.is_direct)
        self._most = int(of_role) or None
        """Milliseconds that the role or the database has as a limit, if it has one."""
        self._seconds: dict[Work, float] | None = None
        """By what a statement works on; None where it is not ours to set."""
        self._now: Work | None = None
        """What the limit of this moment is for."""

    def beginning(self, tables: float, rows: float) -> tuple[str, ...]:
        """Return, as columns of SQL, what sets the limit in a transaction that has just begun;
        seconds by what is worked on.
        """
        if not self.is_own:
            self._seconds = {Work.TABLES: tables, Work.ROWS: rows}
        return self._columns(Work.TABLES)

    def closing(self) -> tuple[str, ...]:
        """Return what sets it for the rows that say where the schema is."""
        return self._columns(Work.ROWS)

    def leave(self) -> None:
        """Leave the limit as it is from here on."""
        self._seconds = None

    def executing(self, statement: str) -> None:
        """Set the limit for a statement that comes next."""
        work = work_of(statement)
        if work is Work.CONTROL:
            self._now = None  # with a savepoint goes what was set since
        elif work is not self._now:
            self._set(work)

    def outwait_vacuum(self) -> None:
        """Set it to longer than it takes a vacuum to step aside, until `tables` is called."""
        self._session.ask(_OUTWAIT_VACUUM)
        self._now = None

    def tables(self) -> None:
        """Set it to that for tables again."""
        self._set(Work.TABLES)

    def _set(self, work: Work) -> None:
        for column in self._columns(work):
            self._session.ask(f"SELECT {column}")

    def _columns(self, work: Work) -> tuple[str, ...]:
        if self._seconds is None:
            return ()
        self._now = work
        # 0 would be no limit at all.
        limit = max(1, round(self._seconds[work] * 1000))
        limit = limit if self._most is None else min(limit, self._most)
        return (_SET.format(limit=limit),)
