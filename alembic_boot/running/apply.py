"""Apply a plan: run its steps, say so after each commit, and verify the state that was reached."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg2
from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import PendingRollbackError

from alembic_boot.environment.failures import no_connection, way_out
from alembic_boot.environment.location import expect_database
from alembic_boot.environment.session import MigrationSession
from alembic_boot.errors import BootError, MigrationFailedError
from alembic_boot.output.log_fields import Event, fields
from alembic_boot.output.progress import live_line, running_line
from alembic_boot.running.guard import Guard
from alembic_boot.running.lock import IN_DOUBT, SchemaLock, lock_lost
from alembic_boot.running.locked_run import LockedRun
from alembic_boot.running.loop import Loop
from alembic_boot.running.preparation import refuse_autocommit_blocks, watch_borrowed_session
from alembic_boot.running.recorder import Recorder, recording
from alembic_boot.running.steps import AlembicStep, Rows, Step
from alembic_boot.running.transaction import TransactionLeftError
from alembic_boot.situation import note, note_statement, situation
from alembic_boot.sql.parser import read
from alembic_boot.state.inspection import NO_DATABASE, Inspection, SchemaState, inspect
from alembic_boot.state.journal import Direction
from alembic_boot.state.plan import Action, Plan
from alembic_boot.state.schema import Schema, in_the_database

_log = logging.getLogger(__name__)

_EVENTS: dict[str, Event] = {"Applied": "applied", "Reverted": "reverted", "Ran": "ran"}

MakeGuard = Callable[[MigrationSession], Guard]


@contextmanager
def applying(
    schema: Schema, plan: Plan, lock: SchemaLock, app_version: str | None
) -> Iterator["Run"]:
    """Give the run of a plan on the real database, for an env.py that runs within the block.

    The block must end after env.py: only then its session does nothing more, and the journal can
    say how each revision ended. Raises MigrationFailedError. A revision that fails is rolled back,
    unless it has committed something itself; the revisions before it stay applied.
    """
    with recording(schema.url, schema.journal, schema.project.history, app_version) as recorder:

        def guard(session: MigrationSession) -> LockedRun:
            return LockedRun(session, lock, recorder, schema.policy.traffic_timeout)

        try:
            yield Run(schema, plan, guard, recorder)
        except MigrationFailedError as error:
            if not lock.is_held():
                raise lock_lost(
                    is_committing=recorder.is_committing, is_in_doubt=recorder.is_in_doubt
                ) from error
            raise
        finally:
            lock.on_loss = None


def apply(schema: Schema, plan: Plan, lock: SchemaLock, app_version: str | None) -> Inspection:
    """Run env.py to run a plan, and return the state, read over a fresh connection.

    Raises as `applying` does.
    """
    with applying(schema, plan, lock, app_version) as run:
        schema.project.run(run.work, run.failed, watch_borrowed_session)
        return run.verify()


def apply_to_scratch(schema: Schema, make_guard: MakeGuard = Guard) -> None:
    """Bring a scratch database to the target, up or down. No other session uses that database.

    Each run of env.py must prove that its session is there, before a statement runs.
    People would take an INFO line about a revision for one about the real database. Raises
    BootError.
    """
    inspection = schema.inspect()
    if inspection.state is SchemaState.UNMANAGED:  # it is at base, but some objects are left
        inspection = inspect(NO_DATABASE, schema.project.history, schema.target)
    plan = schema.decide(inspection, is_scratch=True)
    if plan.refusal is not None:
        raise plan.refusal
    run = Run(schema, plan, make_guard)

    def run_env(is_scratch: str) -> None:
        def configured(context: MigrationContext) -> None:
            expect_database(is_scratch)(context)
            watch_borrowed_session(context)

        schema.project.run(run.work, run.failed, configured)

    in_the_database(schema.url, run_env)
    run.verify()


class Run:
    """One run of a plan, with a line of the log for each step that is committed."""

    def __init__(
        self, schema: Schema, plan: Plan, make_guard: MakeGuard, recorder: Recorder | None = None
    ) -> None:
        """Prepare the run; without a recorder it is one on a scratch database."""
        self.schema = schema
        self.plan = plan
        self._make_guard = make_guard
        self._recorder = recorder
        self.running: str | None = None
        self.session: MigrationSession | None = None

    @property
    def is_going_up(self) -> bool:
        """True for upgrades, false for downgrades."""
        return self.plan.action is Action.UPGRADE

    def work(self, context: MigrationContext, arguments: dict[str, Any]) -> None:
        """Run the steps where Alembic would run its own."""
        self.session = session = MigrationSession(context)
        session.adopt_transaction()
        direction = Direction.UPGRADE if self.is_going_up else Direction.DOWNGRADE
        moves = tuple((revision, direction) for revision in self.plan.steps)
        refuse_autocommit_blocks(session, self.schema.project.history, moves)
        self._verb = "Applied" if self.is_going_up else "Reverted"
        if session.is_one_unit:
            self._verb = "Ran"
            _log.warning(
                "env.py opened a transaction itself: all revisions are applied together, or none"
            )
        try:
            with live_line(lambda: running_line(situation(), time.monotonic())):
                Loop(self._make_guard(session)).run(self._left, arguments, self._reporting)
        finally:
            # The last statement's tree may be large, and this process may go on to serve.
            read.cache_clear()

    def _left(self, rows: Rows) -> list[AlembicStep]:
        """Return the steps of the plan that are left: env.py may run them more than once."""
        project = self.schema.project
        there = project.history.closure(rows)
        left = [it for it in self.plan.steps if (it in there) is not self.is_going_up]
        return [AlembicStep(project.step(it, going_up=self.is_going_up)) for it in left]

    @contextmanager
    def _reporting(self, step: Step) -> Iterator[None]:
        """Say which step runs, and that it is committed."""
        [(self.running, _)] = step.moves
        title = self.schema.label(self.running)
        self._note(title, self.plan.steps.index(self.running))
        started = time.monotonic()
        yield
        spent = time.monotonic() - started
        level = logging.INFO if self._recorder else logging.DEBUG
        done = fields(_EVENTS[self._verb], revision=self.running, seconds=spent)
        _log.log(level, "%s %s (%.0f ms)", self._verb, title, spent * 1000, extra=done)
        self._note(None, self.plan.steps.index(self.running) + 1)
        self.running = None

    def _note(self, title: str | None, done: int) -> None:
        note(
            revision=title,
            revision_id=None if title is None else self.running,
            revision_began_at=time.monotonic(),
            build=None,
            done=done,
            of=len(self.plan.steps),
            blocked_by=None,
            reason=None,
            tries=0,
            budget_left=None,
        )
        note_statement(None)

    def verify(self) -> Inspection:
        """Return the state now. An env.py or a revision can report success and commit nothing.

        Raises MigrationFailedError if the state is not that of the target.
        """
        inspection = self.schema.inspect()
        if inspection.pending or inspection.beyond or inspection.unknown:
            raise MigrationFailedError(
                "The migrations reported success, but the database is at "
                f"{', '.join(inspection.current) or 'base'} instead of {self.schema.target.name}.",
                "A revision or env.py left its transaction uncommitted, or works on another "
                "database.",
            )
        return inspection

    def failed(self, error: BaseException) -> BootError:
        """Return what it means that env.py or a revision raised."""
        if self.session is None and (failure := no_connection(error)):
            return failure
        if isinstance(error, PendingRollbackError) and error.__context__ is not None:
            error = error.__context__  # the end of autocommit_block meets a lost connection
        schema, running = self.schema, self.running
        cause = schema.project.describe(error)
        what = f"Migration {schema.label(running)}" if running else "Alembic's env.py"
        what_failed = f"{what} failed: {cause}."
        if (recorder := self._recorder) is None:
            return MigrationFailedError(what_failed, f"{way_out(error)} Nothing was changed.")
        place = "The database cannot be asked where it is now"
        rolled_back = "what the failure's transaction had changed was rolled back"
        changed = rolled_back if running else "no revision ran then"
        if recorder.is_committing:
            changed = "it is not known whether the COMMIT has succeeded; the next start finds out"
        with suppress(BootError, psycopg2.Error):
            if recorder.is_committing:
                recorder.await_end()  # until then the commit may still succeed
            inspection = schema.inspect()
            place = f"The database is at {', '.join(inspection.current) or 'base'} now"
            to_do = inspection.pending if self.is_going_up else inspection.beyond
            committing = self.plan.steps if recorder.is_committing else ()
            steps = (running,) if running else committing
            if steps and not {*steps}.intersection(to_do):  # only the answer to its COMMIT was lost
                return MigrationFailedError(what_failed, f"{place}: it was committed. Start again.")
            changed = rolled_back
        if recorder.is_in_doubt:
            return MigrationFailedError(what_failed, f"{place}. {IN_DOUBT} {way_out(error)}")
        if isinstance(error, TransactionLeftError):
            changed = (
                "what the revision ran after it had ended its transaction may be committed: look, "
                "and take it back by hand before you start again"
            )
        return MigrationFailedError(what_failed, f"{place}; {changed}. {way_out(error)}")
