"""Write the pending revisions as SQL, for people who run it themselves."""

import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

from alembic.runtime.migration import MigrationContext, MigrationStep

from alembic_boot.commands import as_typed
from alembic_boot.description import BootDescription
from alembic_boot.environment.failures import no_connection
from alembic_boot.environment.offline import OfflineConnection, Place, look_at
from alembic_boot.environment.opening import open_project
from alembic_boot.errors import BootError, MigrationFailedError
from alembic_boot.history.history import Target
from alembic_boot.migration.preview import Preview, look
from alembic_boot.private_names import execute_by, never_make_version_table
from alembic_boot.signals import Stopped, raise_if_stopped
from alembic_boot.state.inspection import DatabaseFacts, inspect
from alembic_boot.state.plan import Action, Plan
from alembic_boot.state.refusals import refuse_unmanaged

_log = logging.getLogger(__name__)


def render_sql(boot: BootDescription) -> str:
    """Wait for the database and return the SQL of exactly the pending revisions.

    The database is only read; a missing one that would be created counts as empty. Each revision is
    a transaction of its own. If nothing is pending, the SQL is a comment. Raises the refusal for
    this state. Raises MigrationFailedError if a revision cannot be written as SQL because it needs
    a database: only the whole script is useful.
    """
    found, url = look(boot), boot.migration_database_url
    if found.schema is None:
        _log.warning("Database %s does not exist: create it before this is run", url.database)
        return _Rendering(found, Place()).sql()
    return _Rendering(found, look_at(url, found.project)).sql()


def render_revision(boot: BootDescription, revision: str) -> str:
    """Return the SQL of one revision's upgrade, without a database. Raises BootError."""
    project = open_project(boot.alembic_config, boot.migration_database_url)
    known = project.history.revisions[revision]
    below = DatabaseFacts(project.history.tips((*known.parents, *known.depends_on)), ())
    inspection = inspect(below, project.history, Target(revision, (revision,)))
    plan = Plan(Action.UPGRADE, inspection.pending)
    return _Rendering(Preview(inspection, plan, project), Place()).sql()


class _Rendering:
    """One run of env.py in Alembic's offline mode."""

    def __init__(self, found: Preview, place: Place) -> None:
        self._project = found.project
        self._inspection = found.inspection
        self._plan = found.plan
        self._place = place
        self._script = StringIO()
        self._begun: list[str] = []
        self._running: str | None = None

    def sql(self) -> str:
        """Return the whole script. Raises BootError."""
        plan, target = self._plan, self._inspection.target.name
        if plan.refusal is not None:
            raise plan.refusal
        for warning in plan.warnings:
            _log.warning("%s", warning)
        current = ", ".join(self._inspection.current) or "base"
        if plan.action is Action.ADOPT:
            raise refuse_unmanaged(self._inspection)
        if plan.action is Action.NOTHING:
            state = self._inspection.state
            return f"-- The schema is {state} at {current}: there is nothing to run."
        self._script.write(f"-- From {current} to {target}.\n\n")
        for setting in self._place.settings:
            self._script.write(f"{setting}\n\n")
        self._run_env()
        return self._script.getvalue().rstrip()

    def _run_env(self) -> None:
        try:
            self._run_offline()
        except Stopped:
            raise
        except SystemExit:
            # An env.py may exit early when its work is done.
            raise_if_stopped()
        if sorted(self._begun) != sorted(self._plan.steps):
            raise MigrationFailedError(
                f"{self._project.scripts.env_py_location} runs {len(self._begun)} of "
                f"{len(self._plan.steps)} revisions in Alembic's offline mode.",
                "Let it configure and run the migrations there too, as Alembic's templates do, "
                f"or use `{as_typed('migrate')}`. Nothing was changed.",
            )

    def _run_offline(self) -> None:
        """Run env.py in offline mode, and write one script, for any settings of env.py."""
        connection: Any = OfflineConnection(self._place.dialect, self._script)

        def attach(context: MigrationContext) -> None:
            """Replace Alembic's mock connection by ours."""
            context.connection = context.impl.connection = connection
            context.impl.output_buffer = self._script
            execute_by(context, connection.write)
            if self._place.has_version_table:
                # The table exists without a row, and Alembic would create it again.
                never_make_version_table(context)

        overrides = {
            "connection": connection,  # Alembic uses only its dialect
            "url": None,
            "dialect_name": None,
            "output_buffer": self._script,
            "starting_rev": None,
            "literal_binds": False,
            "transactional_ddl": True,
            **self._place.version_options,
        }
        target = self._inspection.target
        self._project.run_offline(
            self._steps,
            attach,
            overrides,
            self._failed,
            starting_rev=self._inspection.current or None,
            destination_rev=target.revisions or target.name,
        )

    def _steps(self, current: Any, _context: MigrationContext) -> Iterator[MigrationStep]:
        going_up = self._plan.action is Action.UPGRADE
        for step in self._project.steps(self._inspection.target, current, going_up=going_up):
            self._running = step.revision.revision
            self._begun.append(self._running)
            yield step
        self._running = None

    def _failed(self, error: BaseException) -> BootError | None:
        if isinstance(error, SystemExit) and self._running is None:
            return None
        if not self._begun and (failure := no_connection(error)):
            return failure
        cause = self._project.describe(error)
        if self._running is None:
            return MigrationFailedError(
                f"Alembic's env.py failed in offline mode: {cause}.",
                f"Fix it, or use `{as_typed('migrate')}`. Nothing was changed.",
            )
        return MigrationFailedError(
            f"Migration {self._project.history.label(self._running)} cannot be rendered as SQL: "
            f"{cause}.",
            f"It needs a database to run on, which `{as_typed('migrate')}` gives it. Nothing "
            "was changed.",
        )
