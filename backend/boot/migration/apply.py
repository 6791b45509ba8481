"""Run the steps of a plan: one transaction a revision, a line each, and a stop that is heard."""

import logging
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg2
from alembic.runtime.migration import MigrationContext, MigrationStep

from backend.boot.errors import BootError, MigrationFailedError
from backend.boot.migration.inspection import Inspection
from backend.boot.migration.plan import Action, Plan
from backend.boot.migration.project import describe_error
from backend.boot.migration.schema import Schema
from backend.boot.postgres.connection import connected
from backend.boot.postgres.urls import DatabaseUrl
from backend.boot.progress import progress_bar
from backend.boot.signals import Stopped, interrupting

_log = logging.getLogger(__name__)


def apply(schema: Schema, plan: Plan) -> Inspection:
    """Run the plan and return the state that it led to, read over a fresh connection.

    Raises MigrationFailedError: a revision that raises keeps those before it and takes its own
    changes back. A stop signal cancels the running statement.
    """
    session = _Session(schema.url)
    run = _Run(schema, plan)
    try:
        with interrupting(session.cancel), progress_bar(len(plan.steps)) as run.begin:
            schema.project.run(run.steps, session.note)
    except (BootError, Stopped):
        raise
    except (Exception, SystemExit) as error:  # a revision that exits has not succeeded either
        _log.debug("The failure in full", exc_info=True)
        raise _failure(schema, run, error) from error
    return _verify(schema)


class _Run:
    """The steps as Alembic makes them, with a line of the log after each one's commit."""

    def __init__(self, schema: Schema, plan: Plan) -> None:
        self._schema = schema
        self._plan = plan
        self.begin: Any = None
        self.running: str | None = None

    def steps(self, current: Any, _context: MigrationContext) -> Iterator[MigrationStep]:
        """Give Alembic the steps; what stands after `yield` runs when the step is committed."""
        project, target = self._schema.project, self._schema.target
        goal = target.revisions[0] if len(target.revisions) == 1 else target.name
        going_up = self._plan.action is Action.UPGRADE
        steps = (project.upgrade_steps if going_up else project.downgrade_steps)(goal, current)
        verb = "Applied" if going_up else "Reverted"
        for step in steps:
            self.running = step.revision.revision
            title = self._schema.label(self.running)
            self.begin(title)
            started = time.monotonic()
            yield step
            _log.info("%s %s (%.0f ms)", verb, title, (time.monotonic() - started) * 1000)
        self.running = None


@dataclass
class _Session:
    """The session that env.py opened: what it takes to cancel its statement from outside."""

    url: DatabaseUrl
    backend_pid: int | None = None

    def note(self, context: MigrationContext) -> None:
        """Remember the backend; asks the driver, for a query would begin a transaction."""
        if context.connection is not None:
            info = getattr(context.connection.connection.driver_connection, "info", None)
            self.backend_pid = getattr(info, "backend_pid", None)

    def cancel(self) -> None:
        """Cancel the statement that the session runs."""
        if self.backend_pid is None:
            return
        try:
            with connected(self.url, timeout=2) as connection:
                connection.cursor().execute("SELECT pg_cancel_backend(%s)", (self.backend_pid,))
        except (BootError, psycopg2.Error) as error:
            _log.warning("The running statement could not be cancelled: %s", error)


def _verify(schema: Schema) -> Inspection:
    """Return the state now. An env.py or a revision can report success and commit nothing."""
    inspection = schema.inspect()
    if inspection.pending or inspection.beyond or inspection.unknown:
        raise MigrationFailedError(
            "The migrations reported success, but the database is at "
            f"{', '.join(inspection.current) or 'base'} instead of {schema.target.name}.",
            "A revision or env.py left its transaction uncommitted, or works on another database.",
        )
    return inspection


def _failure(schema: Schema, run: _Run, error: BaseException) -> MigrationFailedError:
    cause = describe_error(error, schema.project.scripts)
    what = f"Migration {schema.label(run.running)}" if run.running else "Alembic's env.py"
    place = "The database cannot be asked where it is now"
    with suppress(BootError):
        place = f"The database is at {', '.join(schema.inspect().current) or 'base'}"
    return MigrationFailedError(
        f"{what} failed: {cause}.",
        f"{place}; the failed revision's transaction was rolled back, earlier ones are kept. "
        "Mend the revision and start again.",
    )
