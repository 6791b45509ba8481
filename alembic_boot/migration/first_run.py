"""The first run of env.py: learn where the schema is, and apply what is pending at once.

What would have to wait is left to a second run, when the first has ended:

- Another starter has the lock, or has left something at work. No connection of env.py stays open
  while this process waits.
- The database is to be adopted. The replay runs env.py as well, and Alembic runs one at a time.
- env.py may call `run_migrations()` several times. If that is for several version tables, it is
  refused before anything changes.
- Other sessions do not see the state that env.py's session sees, or a pooler is in between.
"""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic.runtime.migration import MigrationContext

from alembic_boot.adoption.leftover_databases import remove_leftovers
from alembic_boot.description import BootDescription
from alembic_boot.environment.env_text import calls_once
from alembic_boot.environment.location import Location, Locations, expect_database
from alembic_boot.environment.opening import open_project
from alembic_boot.environment.session import MigrationSession
from alembic_boot.environment.version_table import VersionTable
from alembic_boot.errors import BootError, DatabaseUnreachableError, LockTimeoutError
from alembic_boot.history.history import resolve_target
from alembic_boot.postgres.timeouts import LIFT_OTHERS
from alembic_boot.state.inspection import Inspection
from alembic_boot.state.plan import Action, Plan
from alembic_boot.state.schema import Schema, in_the_database

if TYPE_CHECKING:  # a start on a current schema imports neither
    from alembic_boot.running.apply import Run
    from alembic_boot.running.lock import SchemaLock

Located = Callable[[VersionTable], None]
Steps = tuple[str, ...]


class FirstRun:
    """The first run of env.py, and what is known when it has ended."""

    def __init__(
        self, boot: BootDescription, located: Located, agreed: Steps | None, held: ExitStack
    ) -> None:
        """Prepare the run. Raises BootError for the history and for the target.

        `located` gets the version table. `agreed` are the only steps that may run; None allows all.
        `held` gets the lock if it is free when something is to run.
        """
        self._boot = boot
        self._located = located
        self._agreed = agreed
        self._held = held
        self._url = boot.migration_database_url
        self._project = open_project(boot.alembic_config, self._url)
        self._target = resolve_target(
            self._project.history, boot.schema.target, rollback=boot.schema.rollback
        )
        self._locations: Locations
        self._run: Run | None = None
        """What runs the plan, as soon as it may run."""
        self._ending = ExitStack()
        """What ends together with env.py."""
        self.schema: Schema
        self.lock: SchemaLock | None = None
        self.seen: tuple[Inspection, Plan] | None = None
        """The last state before anything was changed, and the plan for it; None if not known."""
        self.reached: Inspection | None = None
        """The state after the plan was applied; None if it was not."""

    def run(self) -> None:
        """Run env.py. Raises BootError."""
        in_the_database(self._url, self._run_env)

    def _run_env(self, is_same_database: str) -> None:
        self._locations = Locations(str(self._project.scripts.env_py_location))
        with self._ending:
            self._project.run(self._work, self._failed, expect_database(is_same_database))
            self.schema = self._schema_at(self._locations.only())
            if self._run is not None:
                self.reached = self._run.verify()
        if self.reached is None and self._locations.are_several:
            self.seen = None  # the later calls may name more schemas of the models

    def _failed(self, error: BaseException) -> BootError:
        failed = self._project.env_failed if self._run is None else self._run.failed
        return failed(error)

    def _schema_at(self, location: Location) -> Schema:
        return Schema(self._url, self._project, location, self._target, self._boot.schema)

    def _work(self, context: MigrationContext, arguments: dict[str, Any]) -> None:
        """Take the place of Alembic's own loop."""
        session = MigrationSession(context)
        try:
            self._learn_and_apply(session, context, arguments)
        except DatabaseUnreachableError:
            # env.py's own connection has most likely gone as well. SQLAlchemy would roll it back,
            # and log a traceback about that.
            session.connection.invalidate()
            raise

    def _learn_and_apply(
        self, session: MigrationSession, context: MigrationContext, arguments: dict[str, Any]
    ) -> None:
        location = self._locations.read(session)
        if not self._locations.are_several:
            self._located(location.version_table)
            if location.may_run:
                self._prepare(session, self._schema_at(location))
        if (run := self._run) is not None:
            steps = ", ".join(map(run.schema.label, run.plan.steps))
            self._locations.refuse_several_tables(
                f" These revisions of {run.schema.version_table} have run already: {steps}."
            )
            run.work(context, arguments)

    def _prepare(self, session: MigrationSession, schema: Schema) -> None:
        """Take the lock if something is to run, and prepare to run it if nothing is in the way."""
        session.ask(LIFT_OTHERS)  # the session idles from here on
        if self._plan(schema) is None:
            return
        if not calls_once(Path(self._project.scripts.env_py_location)):
            return
        # Imported here: a start on a current schema does not need it.
        from alembic_boot.running.takeover import exclusively_at_once

        self.lock = self._held.enter_context(exclusively_at_once(self._url, schema.journal))
        if self.lock is None or (plan := self._plan(schema)) is None:
            return
        # Imported here: a start that waits for another one most likely does not need it.
        from alembic_boot.running.apply import applying

        remove_leftovers(self._url)
        run = applying(schema, plan, self.lock, self._boot.app_version)
        self._run = self._ending.enter_context(run)

    def _plan(self, schema: Schema) -> Plan | None:
        """Return the plan for the present state if its steps may run at once."""
        self.seen = None
        try:
            inspection = schema.inspect()
            plan = schema.decide(inspection)
        except LockTimeoutError:  # that is waited for later
            return None
        self.seen = inspection, plan
        is_run = plan.action in (Action.UPGRADE, Action.DOWNGRADE)
        return plan if is_run and self._agreed in (None, plan.steps) else None
