"""Write the journal while revisions run: the process, the revision and the result."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import psycopg2
from psycopg2.extensions import connection as Connection

from alembic_boot.errors import BootError
from alembic_boot.history.history import History
from alembic_boot.output.masking import mask
from alembic_boot.polling import poll
from alembic_boot.postgres.connection import connected
from alembic_boot.postgres.timeouts import lift
from alembic_boot.postgres.urls import DatabaseUrl
from alembic_boot.running.steps import Moves, Step
from alembic_boot.running.worker import Worker, end_sessions, sessions_at_work
from alembic_boot.signals import Stopped
from alembic_boot.state.access import asking
from alembic_boot.state.edits import fingerprint, taken_along
from alembic_boot.state.journal import Direction, Journal, Starter, joined

_log = logging.getLogger(__name__)

_SILENCE = 5.0
"""Seconds without an answer after which the connection counts as gone."""

_GRACE = 3.0
"""Seconds that a session without a client may take to end."""

_INTERVAL = 0.02

T = TypeVar("T")

Row = dict[str, Any]

Ask = Callable[[str], Any]
"""Gives the first row of a query."""


@dataclass
class Recorder:
    """The rows of one run of env.py, written over boot's own connection.

    This connection is in autocommit, so that waiting starters see each row at once. The status
    `applied` is written by env.py's session, in the transaction that moves the version table. So
    both are committed, or neither.
    """

    url: DatabaseUrl
    connection: Connection = field(repr=False)
    journal: Journal
    history: History
    starter: Starter
    _rows: list[int] = field(default_factory=list, init=False)
    _uncommitted: list[int] = field(default_factory=list, init=False)
    _following: tuple[Moves, Row] | None = field(default=None, init=False)
    """The next step, and its row."""
    _announced: tuple[Moves, int] | None = field(default=None, init=False)
    """The step whose row was written together with the previous step, and the row's id."""
    _worker: Worker | None = field(default=None, init=False)
    _has_older_history: bool = field(default=True, init=False)
    """Whether the journal may have revisions that the files do not have."""
    is_committing: bool = field(default=False, init=False)
    """Whether only the commit of the revision is left, or of all revisions if they are one unit."""
    is_in_doubt: bool = field(default=False, init=False)
    """Whether the answer is lost to a statement of the revision that commits, or to its own COMMIT.

    The version row does not tell whether the server has run it.
    """

    def begin(self, step: Step, worker: Worker, following: Step | None) -> None:
        """Write that a step is about to run in that session, unless its row is there already.

        A downgrade may include revisions of an older history that its file replaces. Each of these
        gets a row as well. Prepare the row of the following step, which is written together with
        this step's row: the checksum takes time, and this step holds no locks yet.
        """
        self._worker = worker
        if self._announced and self._announced[0] == step.moves:
            self._rows = [self._announced[1]]
        else:
            rows = self._rows_of(step, worker)
            self._rows = [self.use(partial(self.journal.begin, row=row)) for row in rows]
        self._announced = self._following = None
        self._uncommitted += self._rows
        if following is not None:
            rows = self._rows_of(following, worker)
            self._following = (following.moves, rows[0]) if len(rows) == 1 else None

    def _rows_of(self, step: Step, worker: Worker) -> list[Row]:
        down = [revision for revision, way in step.moves if way is Direction.DOWNGRADE]
        along = [(revision, Direction.DOWNGRADE) for revision in self._taken_along(down)]
        return [
            self._row(*move, worker, step.stands_on.get(move[0])) for move in (*step.moves, *along)
        ]

    def _taken_along(self, down: list[str]) -> tuple[str, ...]:
        """Return the revisions of an older history that a downgrade of these includes.

        This reads the whole journal; once a run if the journal has no older history.
        """
        if not down or not self._has_older_history:
            return ()
        journal = self.use(self.journal.applied)
        self._has_older_history = any(it.revision not in self.history.revisions for it in journal)
        return taken_along(down, journal, self.history)

    def committed_statements(self, text: str) -> list[str]:
        """Return the statements that note, in env.py's session, a part that will be committed."""
        return [self.journal.committed_statement(row, text) for row in self._rows]

    def move(self, ask: Ask, before: str, after: str, condition: str) -> bool:
        """Replace the row of the version table and write the journal, in env.py's session.

        Return whether both are done; if the condition is false, neither is.
        """
        following = self._following and self._following[1]
        found = ask(self.journal.moving_query(self._rows, (before, after), condition, following))
        if self._following and found:
            self._announced = (self._following[0], int(found[0]))
        return found is not None

    def apply(self, tell: Callable[[str], int], condition: str) -> bool:
        """Write in env.py's session that the running step is applied, if the condition is true."""
        return tell(self.journal.applied_statement(self._rows, condition)) == len(self._rows)

    def committed(self) -> None:
        """Note that all steps so far are committed."""
        self._uncommitted.clear()

    def fail(self, error: str) -> None:
        """Write the error into the rows of all steps that are not committed."""
        errors = dict.fromkeys(self._uncommitted, mask(error))
        if self._announced is not None:
            # Its row is there only if the revision before it was committed, so that one is applied.
            cause = "The commit before it was not confirmed." if self.is_committing else mask(error)
            errors[self._announced[1]] = f"It had not begun. {cause}"
        if not errors:
            return
        try:
            self.await_end()
            for row, text in errors.items():
                self.use(partial(self.journal.fail, id_=row, error=text))
        except (psycopg2.Error, BootError, ValueError) as failure:
            # If the server is gone, the next starter writes the row. An error that the database
            # cannot store as text must not hide the failure itself.
            _log.debug("The journal could not be closed: %s", failure)

    def close_earlier(self) -> None:
        """Write that the steps have failed: env.py has caught the error and runs them again."""
        for row in self._uncommitted:
            failed = "It failed, and env.py caught its error."
            self.use(partial(self.journal.fail, id_=row, error=failed))
        self._uncommitted.clear()

    def await_end(self) -> None:
        """Wait until the session has ended its work, and terminate it if necessary.

        Raises psycopg2.Error or BootError if that cannot be told.
        """
        if self._worker is None:
            return
        key = self._worker.key

        def is_over() -> bool:
            return not self.use(partial(sessions_at_work, key=key, idle=False))

        def end(_waited: float) -> None:
            self.use(partial(end_sessions, key=key))

        if not poll(is_over, _GRACE, _INTERVAL, say=end, is_closing=True):
            raise psycopg2.OperationalError("its session is still at work")

    def ask(self, query: str) -> object:
        """Return the one value of a query, with boot's own role."""
        answer: object = asking(self.connection)(query)
        return answer

    def _row(
        self, revision: str, direction: Direction, worker: Worker, stands_on: tuple[str, ...] | None
    ) -> Row:
        known = self.history.revisions.get(revision)
        sha256, checksum = fingerprint(known)
        return {
            "revision": revision,
            "down_revision": joined(stands_on or (known.parents if known else ())),
            "direction": direction,
            # A revision that replaces others changes nothing: the older release works on it.
            "phase": "expand" if stands_on or (known and known.is_expand) else "contract",
            "file_sha256": sha256,
            "checksum": checksum,
            "host": self.starter.host,
            "pid": self.starter.pid,
            "backend_pid": worker.backend_pid,
            "backend_start": worker.backend_start,
            "session_key": worker.key.number,
            "app_version": self.starter.app_version,
        }

    def use(self, work: Callable[[Connection], T]) -> T:
        """Work over the connection, or over a new one if this one was lost while it was idle.

        Raises psycopg2.Error and BootError.
        """
        if not self.connection.closed:
            with suppress(psycopg2.OperationalError, psycopg2.InterfaceError):
                return work(self.connection)
        with connected(self.url, silence=_SILENCE) as connection:
            return work(connection)


@contextmanager
def recording(
    url: DatabaseUrl, journal: Journal, history: History, app_version: str | None
) -> Iterator[Recorder]:
    """Yield the recorder. If the block fails, the revisions begun in it are marked as failed."""
    with connected(url, silence=_SILENCE) as connection:
        lift(connection)  # it idles while a revision runs
        recorder = Recorder(url, connection, journal, history, Starter.here(app_version))
        try:
            yield recorder
        except BaseException as error:
            recorder.fail(_reason(error))
            raise


def _reason(error: BaseException) -> str:
    """Return the first line. Below it SQLAlchemy repeats the statement and its parameters."""
    if isinstance(error, Stopped):
        return f"Stopped by {error.name}."
    return str(error).strip().partition("\n")[0] or type(error).__name__
