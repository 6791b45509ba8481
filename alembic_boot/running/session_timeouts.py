"""The timeouts that may end the session of the migrations, or one of its statements.

Timeouts of the server, the database or the role are lifted. A timeout of env.py, its URL or a
revision is meant for the migrations. It stays, and the error names it if it ends something.
psycopg2 does not tell which timeout ended a session. The elapsed time tells it.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from alembic_boot.environment.session import MigrationSession, Observer
from alembic_boot.postgres.sqlstate import sqlstate
from alembic_boot.postgres.timeouts import LIFT_OTHERS, TIMEOUTS

_IN_FORCE = f"""
SELECT string_agg(concat_ws(' ', name, source, setting), ',') FROM pg_settings
WHERE name IN {TIMEOUTS} AND setting <> '0' AND source IN ('session', 'client')
"""  # noqa: S608 (a constant)

_STATEMENT, _TRANSACTION = "statement_timeout", "transaction_timeout"
_IDLE, _IDLE_IN_TRANSACTION = "idle_session_timeout", "idle_in_transaction_session_timeout"

_BY_STATE = {
    "57014": _STATEMENT,
    "25P03": _IDLE_IN_TRANSACTION,
    "25P04": _TRANSACTION,
    "57P05": _IDLE,
}
"""By SQLSTATE; 57014 is also the SQLSTATE of a statement that another session has cancelled."""

_SETTERS = {
    "session": "A revision or env.py sets it: set it higher there, or leave it out.",
    "client": "The URL or PGOPTIONS sets it: leave it out there, or set it higher.",
}


@dataclass(frozen=True)
class Limit:
    """A timeout that is in force, as PostgreSQL has it."""

    name: str
    source: str
    """Where it comes from: `session` or `client`."""
    milliseconds: int

    def __str__(self) -> str:
        short = self.milliseconds < 1000
        value = f"{self.milliseconds} ms" if short else f"{self.milliseconds / 1000:g} s"
        what = "statement" if self.name == _STATEMENT else "session"
        return f"{self.name} ({value}) ended the {what}. {_SETTERS[self.source]}"


@dataclass(frozen=True)
class Passed:
    """Seconds that had passed when something was ended."""

    in_statement: float
    idle: float
    """Before that statement."""
    in_transaction: float
    """Since the transaction began; 0 outside of any."""


def ended_by(
    state: str | None, is_lost: bool, passed: Passed, limits: Sequence[Limit]
) -> Limit | None:
    """Return the limit that has ended a statement or its session; None for any other cause.

    `state` is the SQLSTATE, if the driver tells one, and `is_lost` whether the session is gone.
    """
    spent = {
        _STATEMENT: passed.in_statement,
        _TRANSACTION: passed.in_transaction,
        _IDLE_IN_TRANSACTION: passed.idle if passed.in_transaction else 0,
        _IDLE: 0 if passed.in_transaction else passed.idle,
    }
    named = _BY_STATE.get(state or "")
    if named is None and not is_lost:
        return None
    if named is None and state is not None and not state.startswith("08"):
        return None  # the server has said what it was, as at a shutdown
    for limit in limits:
        is_candidate = limit.name == named or (named is None and limit.name != _STATEMENT)
        if is_candidate and spent[limit.name] >= limit.milliseconds / 1000:
            return limit
    return None


class SessionTimeouts(Observer):
    """The limits of one session while revisions run in it."""

    def __init__(self, session: MigrationSession) -> None:
        self._session = session
        self._kept: list[Limit] = []
        """The limits of env.py and its URL."""
        self._limits: list[Limit] = []
        """The limits now, after changes by revisions."""
        self._are_changed = False
        """Whether a revision may have changed them since the last one began."""
        self._answered = self._asked = self._began = time.monotonic()
        session.observer = self

    def lift(self) -> None:
        """Lift limits that are not for migrations; behind a pooler each transaction lifts them."""
        if self._session.is_direct:
            self._kept = self._limits = _read(self._session.ask(LIFT_OTHERS)[0])

    def start(self) -> None:
        """Begin with the next revision. A session setting of an earlier revision stays."""
        if not self._are_changed:
            return
        self._are_changed = False
        if self._session.is_direct:
            self._limits = _read(self._session.ask(_IN_FORCE)[0])
            self._session.settle()
        else:
            self._limits = self._kept

    def began(self) -> None:
        """Note that a transaction has begun."""
        self._began = time.monotonic()

    def run(self, statement: str, execute: Callable[[], object], cursor: Any) -> None:
        """Execute a revision's statement; read the limits again if the statement may set them."""
        self.asked()
        try:
            execute()
        except Exception as error:
            self.failed(error, is_lost=self._session.is_lost(error, cursor))
            raise
        self.answered()
        if "_timeout" in statement.lower():
            self._are_changed = True
            self._limits = _read(self._session.ask(_IN_FORCE)[0])

    def asked(self) -> None:
        """Note when the session is asked."""
        self._asked = time.monotonic()

    def answered(self) -> None:
        """Note when it has answered."""
        self._answered = time.monotonic()

    def failed(self, error: Exception, *, is_lost: bool) -> None:
        """Add to the error the limit that has caused it, if one has."""
        now = time.monotonic()
        in_transaction = 0 if self._session.is_autocommit else now - self._began
        passed = Passed(now - self._asked, self._asked - self._answered, in_transaction)
        if limit := ended_by(sqlstate(error), is_lost, passed, self._limits):
            error.add_note(str(limit))


def _read(text: str | None) -> list[Limit]:
    lines = (line.split(" ") for line in text.split(",")) if text else ()
    return [Limit(name, source, int(value)) for name, source, value in lines]
