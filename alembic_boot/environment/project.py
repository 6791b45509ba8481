"""An Alembic project: its configuration, its history, and running its env.py.

Alembic keeps process-wide proxies, so one of these runs at a time in a process.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, MigrationStep, RevisionStep
from alembic.script import ScriptDirectory
from sqlalchemy import Pool
from sqlalchemy.pool import ConnectionPoolEntry

from alembic_boot.environment.changes import CHANGES_NOTHING, refusing_changes
from alembic_boot.environment.env_text import url_for
from alembic_boot.environment.failures import (
    Failed,
    describe_error,
    failing_as,
    no_connection,
    way_out,
)
from alembic_boot.environment.listening import listening
from alembic_boot.environment.location import Location, Locations, expect_database
from alembic_boot.environment.logins import noting_attempts
from alembic_boot.environment.scripts import load_revision
from alembic_boot.environment.session import MigrationSession
from alembic_boot.environment.working import working_in
from alembic_boot.errors import BootError, MigrationFailedError
from alembic_boot.history.history import History, Target
from alembic_boot.output.log import restore_logging
from alembic_boot.own_work import own_work
from alembic_boot.postgres.interruption import interrupt
from alembic_boot.postgres.urls import DatabaseUrl
from alembic_boot.private_names import upgrade_steps
from alembic_boot.signals import interrupting, raise_if_stopped

_CONNECT_TIMEOUT = "10"
"""Seconds that a connect of env.py may take if the URL sets no limit: signals wait meanwhile."""

MigrationSteps = Iterable[MigrationStep]

Work = Callable[[MigrationContext, dict[str, Any]], None]
"""The work when env.py calls `context.run_migrations()`, with the arguments of that call."""

Configured = Callable[[MigrationContext], None]


@dataclass(frozen=True)
class Project:
    """An Alembic project with the history on its disk, bound to a database's URL."""

    config: Config
    scripts: ScriptDirectory
    history: History
    url: DatabaseUrl | None
    folder: Path
    """The folder in which people run Alembic. Relative paths, and those of env.py, start there."""

    def steps(self, target: Target, current: Any, *, going_up: bool) -> list[RevisionStep]:
        """Return Alembic's own steps to a target.

        On the way down Alembic's own choice would stay on the branches beside the target.
        """
        if going_up:
            # Alembic refuses several of which one stands on another, as by depends_on.
            goal: Any = self.history.tips(target.revisions)
            return upgrade_steps(self.scripts, goal, current)
        beyond = self.history.closure(current) - self.history.closure(target.revisions)
        return [self.step(it, going_up=False) for it in self.history.in_order(beyond)[::-1]]

    def step(self, revision: str, *, going_up: bool) -> RevisionStep:
        """Return Alembic's own step of one revision. Imports its file."""
        script, revision_map = self.scripts.get_revision(revision), self.scripts.revision_map
        if going_up:
            return MigrationStep.upgrade_from_script(revision_map, script)
        return MigrationStep.downgrade_from_script(revision_map, script)

    def load(self, revisions: Iterable[str]) -> None:
        """Import the files of revisions that are to run. Raises HistoryBrokenError."""
        with working_in(self.folder):
            for revision in self.history.in_order(revisions):
                load_revision(self.scripts, revision)

    def describe(self, error: BaseException) -> str:
        """Return what went wrong on one line, with the project's file and line where it did."""
        return describe_error(error, self.scripts)

    def env_failed(self, error: BaseException) -> BootError:
        """Return the failure for an exception of env.py while nothing is applied."""
        return no_connection(error) or MigrationFailedError(
            f"Alembic's env.py failed: {self.describe(error)}.",
            f"{way_out(error, 'it')} Nothing was changed.",
        )

    def run(
        self,
        work: Work,
        failed: Failed | None = None,
        configured: Configured = lambda _context: None,
        **options: Any,
    ) -> None:
        """Run env.py, and do `work` in the place of Alembic's own loop.

        `configured` is called when env.py has made the context, before any other line of env.py.
        `failed` says what an exception of env.py or of a revision means; a package that is missing
        always means the same. `options` are Alembic's own for the environment. What `work` raises
        counts as raised even if env.py swallows or replaces it. Raises BootError.
        """
        raised: list[BaseException] = []

        def replace_loop(context: MigrationContext) -> None:
            def run_migrations(**arguments: Any) -> None:
                raised.clear()  # env.py tries again
                try:
                    work(context, arguments)
                except BaseException as error:
                    raised.append(error)
                    raise

            context.run_migrations = run_migrations  # type: ignore[method-assign]
            configured(context)

        with self.running(failed):
            try:
                self._run(replace_loop, _no_steps, {}, options)
            finally:
                for error in raised:
                    raise error

    def run_offline(
        self,
        steps: Callable[[Any, MigrationContext], MigrationSteps],
        configured: Configured,
        overrides: Mapping[str, Any],
        failed: Failed,
        **options: Any,
    ) -> None:
        """Run env.py in offline mode, with Alembic's own loop, which writes SQL.

        `configured` is called when env.py has made the context; `overrides` win over what env.py
        says. Raises BootError.
        """
        with self.running(failed):
            self._run(configured, steps, overrides, {"as_sql": True, **options})

    @contextmanager
    def running(self, failed: Failed | None = None) -> Iterator[None]:
        """Run the project's own code in its own folder, with the URL that env.py is to use.

        See `run` for what is raised.
        """
        with failing_as(self.scripts, failed or self.env_failed), working_in(self.folder):
            # Here, for its password may be another one than at the last run.
            if self.url is not None and not self.url.is_env_pys:
                text = url_for(Path(self.scripts.env_py_location), self.url)
                self.config.set_main_option("sqlalchemy.url", text.replace("%", "%%"))
            yield

    def _run(
        self,
        configured: Configured,
        steps: Callable[[Any, MigrationContext], MigrationSteps],
        overrides: Mapping[str, Any],
        options: Mapping[str, Any],
    ) -> None:
        """Run env.py, with one transaction for each revision, even if env.py says otherwise.

        Every env.py calls `configure()`, plain or async. A subclass of EnvironmentContext would
        not be found by Alembic's proxies, so the method is replaced on the instance. A stop signal
        ends the running statement.
        """
        opened: list[Any] = []
        with EnvironmentContext(self.config, self.scripts, fn=steps, **options) as environment:
            configure = environment.configure

            def configure_and_tell(*arguments: Any, **keywords: Any) -> None:
                restore_logging()
                ours = {"transaction_per_migration": True, **overrides}
                configure(*arguments, **{**keywords, **ours})
                context = environment.get_context()
                if context.connection is not None and not context.as_sql:
                    opened.append(context.connection.connection.driver_connection)
                configured(context)

            environment.configure = configure_and_tell  # type: ignore[method-assign]
            try:
                with (
                    self._promised(),
                    _bounded_connects(),
                    _noting_connections(opened),
                    noting_attempts(),
                    interrupting(lambda: _interrupt_all(opened)),
                ):
                    self.scripts.run_env()
                raise_if_stopped()
            finally:
                restore_logging()

    def _promised(self) -> AbstractContextManager[None]:
        """Refuse changes by env.py if it is only looked at."""
        if not self.config.attributes.get(CHANGES_NOTHING):
            return nullcontext()
        return refusing_changes(str(self.scripts.env_py_location))

    def location(self, is_same_database: str) -> Location:
        """Return where env.py keeps the schema; connects as env.py does, changes nothing.

        The query is true in the database that env.py is to work on, and nowhere else. Raises
        ConfigurationError if it works on another one.
        """
        locations = Locations(str(self.scripts.env_py_location))

        def look(context: MigrationContext, _arguments: object) -> None:
            locations.read(MigrationSession(context))

        self.run(look, configured=expect_database(is_same_database), dont_mutate=True)
        return locations.only()


def _no_steps(_current: Any, _context: MigrationContext) -> MigrationSteps:
    return ()


def _interrupt_all(driver_connections: Iterable[Any]) -> None:
    for driver_connection in driver_connections:
        interrupt(driver_connection)


@contextmanager
def _noting_connections(opened: list[Any]) -> Iterator[None]:
    """Collect every connection that is made meanwhile: revisions may open their own."""

    is_ours = own_work()

    def note(_dbapi_connection: Any, record: ConnectionPoolEntry) -> None:
        if is_ours():
            opened.append(record.driver_connection)

    with listening(Pool, connect=note):
        yield


@contextmanager
def _bounded_connects() -> Iterator[None]:
    """Limit the time of a connect, for every driver that uses libpq."""
    name = "PGCONNECT_TIMEOUT"
    if name in os.environ:
        yield
        return
    os.environ[name] = _CONNECT_TIMEOUT
    try:
        yield
    finally:
        os.environ.pop(name, None)
