"""Somebody's Alembic project: its configuration, its history, and running its env.py.

Alembic keeps process-wide proxies, so one of these runs at a time in a process.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, MigrationStep, RevisionStep, StampStep
from alembic.script import ScriptDirectory
from sqlalchemy import Pool, event
from sqlalchemy.pool import ConnectionPoolEntry

from alembic_boot.environment.attempts import noting_attempts
from alembic_boot.environment.failures import (
    describe_error,
    no_connection,
    package_missing,
    way_out,
)
from alembic_boot.environment.location import Location, read_location
from alembic_boot.environment.scripts import load_revision
from alembic_boot.environment.session import MigrationSession
from alembic_boot.environment.working import working_in
from alembic_boot.errors import BootError, ConfigurationError, MigrationFailedError
from alembic_boot.history.history import History, Target
from alembic_boot.log import restore_logging
from alembic_boot.postgres.interruption import interrupt
from alembic_boot.postgres.urls import DatabaseUrl
from alembic_boot.signals import Stopped, interrupting, raise_if_stopped

_CONNECT_TIMEOUT = "10"
"""Seconds that an env.py's connect may take where nothing says it: no signal is heard meanwhile."""

MigrationSteps = Iterable[MigrationStep]

Failed = Callable[[BaseException], BootError | None]
"""Says what it means that env.py, or a revision, raised; None lets the exception go on."""


@dataclass(frozen=True)
class Project:
    """An Alembic project with the history on its disk, bound to a database's URL."""

    config: Config
    scripts: ScriptDirectory
    history: History
    url: DatabaseUrl | None
    folder: Path
    """Where people run Alembic: its relative paths start there, and env.py's own do."""

    def steps(self, target: Target, current: Any, *, going_up: bool) -> list[RevisionStep]:
        """Return Alembic's own steps to a target.

        On the way down Alembic's own choice would stay on the branches beside the target.
        """
        if going_up:
            # Alembic refuses several of which one stands on another, as by depends_on.
            goal: Any = self.history.tips(target.revisions)
            return self.scripts._upgrade_revs(goal, current)
        beyond = self.history.closure(current) - self.history.closure(target.revisions)
        return [
            MigrationStep.downgrade_from_script(
                self.scripts.revision_map, self.scripts.get_revision(revision)
            )
            for revision in self.history.in_order(beyond)[::-1]
        ]

    def load(self, revisions: Iterable[str]) -> None:
        """Import the files of revisions that are to run. Raises HistoryBrokenError."""
        with working_in(self.folder):
            for revision in self.history.in_order(revisions):
                load_revision(self.scripts, revision)

    def stamps(self, revision: str, current: Any) -> list[StampStep]:
        """Return Alembic's own steps that record a revision without running anything."""
        return self.scripts._stamp_revs(revision, current)

    def describe(self, error: BaseException) -> str:
        """Return what went wrong on one line, with the project's file and line where it did."""
        return describe_error(error, self.scripts)

    def env_failed(self, error: BaseException) -> BootError:
        """Return what it means that env.py raised while it was only looked at."""
        return no_connection(error) or MigrationFailedError(
            f"Alembic's env.py failed: {self.describe(error)}.",
            f"{way_out(error, 'it')} Nothing was changed.",
        )

    def run(
        self,
        steps: Callable[[Any, MigrationContext], MigrationSteps],
        configured: Callable[[MigrationContext], None] = lambda _context: None,
        overrides: Mapping[str, Any] = MappingProxyType({}),
        failed: Failed | None = None,
        **options: Any,
    ) -> None:
        """Run env.py with these steps, and turn an exception of its code into a failure.

        `failed` says which failure that is; a package that is missing is always the same one.
        Raises BootError.
        """
        with self.running(failed):
            self._run(steps, configured, overrides, options)

    @contextmanager
    def running(self, failed: Failed | None = None) -> Iterator[None]:
        """Run the project's own code in its own folder; see `run` for what it raises."""
        try:
            with working_in(self.folder):
                yield
        except (BootError, Stopped):
            raise
        except BaseException as error:
            raise_if_stopped()  # what was made of a cancelled statement is beside the point
            if missing := package_missing(error, self.scripts):
                raise missing from error
            failure = (failed or self.env_failed)(error)
            if failure is None:
                raise
            raise failure from error

    def _run(
        self,
        steps: Callable[[Any, MigrationContext], MigrationSteps],
        configured: Callable[[MigrationContext], None],
        overrides: Mapping[str, Any],
        options: Mapping[str, Any],
    ) -> None:
        """Run env.py with these steps, one transaction each whatever env.py says itself.

        `configured` is called with the migration context when env.py has made it; `overrides` win
        over what env.py says, and `options` are Alembic's own for the environment. Every env.py
        calls `configure()`, plain or async; a subclass of EnvironmentContext would not be found
        by Alembic's proxies, so the method is replaced on the instance. A stop signal ends the
        running statement.
        """
        opened: list[Any] = []
        if self.url is not None:  # here, for its password may be another one than at the last run
            text = self.url.sqlalchemy_url.replace("%", "%%")
            self.config.set_main_option("sqlalchemy.url", text)
        with EnvironmentContext(self.config, self.scripts, fn=steps, **options) as environment:
            configure = environment.configure

            def configure_and_tell(*arguments: Any, **keywords: Any) -> None:
                restore_logging()
                ours = {"transaction_per_migration": True, **overrides}
                configure(*arguments, **{**keywords, **ours})
                context = environment.get_context()
                # A revision whose interrupted statement was caught must not be recorded as applied.
                context.on_version_apply_callbacks += (lambda **_: raise_if_stopped(),)
                if context.connection is not None and not context.as_sql:
                    opened.append(context.connection.connection.driver_connection)
                configured(context)

            environment.configure = configure_and_tell  # type: ignore[method-assign]
            try:
                with (
                    _bounded_connects(),
                    _noting_connections(opened),
                    noting_attempts(),
                    interrupting(lambda: _interrupt_all(opened)),
                ):
                    self.scripts.run_env()
                raise_if_stopped()
            finally:
                restore_logging()

    def location(self, is_same_database: str) -> Location:
        """Return where env.py keeps the schema; connects as env.py does, changes nothing.

        The query is true in the database that env.py is to work on, and nowhere else. Raises
        ConfigurationError where it works on another one.
        """
        found: list[Location] = []

        def configured(context: MigrationContext) -> None:
            session = MigrationSession(context)
            session.refuse_other_database(is_same_database)
            session.settle()
            # Nobody needs them now, and a revision may have locked their table.
            context.get_current_heads = tuple  # type: ignore[method-assign]

        def look(_current: Any, context: MigrationContext) -> MigrationSteps:
            # Only here has env.py said all that it says before it runs the migrations.
            found.append(read_location(context))
            return ()

        self.run(look, configured, dont_mutate=True)
        if not found:
            raise ConfigurationError(
                f"{self.scripts.env_py_location} never calls context.configure() and "
                "context.run_migrations().",
                "Let it configure and run the migrations, as Alembic's templates do.",
            )
        if len({it.version_table for it in found}) > 1:
            tables = ", ".join(sorted({str(it.version_table) for it in found}))
            raise ConfigurationError(
                f"{self.scripts.env_py_location} configures several version tables ({tables}).",
                "Let it take one of them from its environment, and run it once for each.",
            )
        return replace(found[-1], models=frozenset().union(*(it.models for it in found)))


def _interrupt_all(driver_connections: Iterable[Any]) -> None:
    for driver_connection in driver_connections:
        interrupt(driver_connection)


@contextmanager
def _noting_connections(opened: list[Any]) -> Iterator[None]:
    """Add every connection that is made meanwhile: revisions open some of their own."""

    def note(_dbapi_connection: Any, record: ConnectionPoolEntry) -> None:
        opened.append(record.driver_connection)

    event.listen(Pool, "connect", note)
    try:
        yield
    finally:
        event.remove(Pool, "connect", note)


@contextmanager
def _bounded_connects() -> Iterator[None]:
    """Have libpq, whichever driver it works for, give a connect up in time."""
    name = "PGCONNECT_TIMEOUT"
    if name in os.environ:
        yield
        return
    os.environ[name] = _CONNECT_TIMEOUT
    try:
        yield
    finally:
        os.environ.pop(name, None)
