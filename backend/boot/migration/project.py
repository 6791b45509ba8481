"""Somebody's Alembic project: its configuration, its history, and running its env.py.

Alembic keeps process-wide proxies, so one of these runs at a time in a process.
"""

import configparser
import re
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, MigrationStep, RevisionStep
from alembic.script import Script, ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy.exc import DBAPIError

from backend.boot.errors import (
    BootError,
    ConfigurationError,
    DatabaseUnreachableError,
    HistoryBrokenError,
    LoginRefusedError,
)
from backend.boot.log import restore_logging
from backend.boot.migration.history import History, Revision, Target
from backend.boot.migration.session import MigrationSession
from backend.boot.migration.version_table import VersionTable
from backend.boot.postgres.interruption import Interruption
from backend.boot.postgres.refusal import Refusal, causes, classify
from backend.boot.postgres.urls import DatabaseUrl
from backend.boot.signals import Stopped, interrupting, raise_if_stopped

MigrationSteps = Iterable[MigrationStep]

RUN_BY_BOOT = "run_by_boot"
"""The attribute of Alembic's configuration by which an env.py knows who runs it."""

_BROKEN = re.compile(r"present more than once|is not present")


@dataclass(frozen=True)
class Project:
    """An Alembic project with the history on its disk, bound to a database's URL."""

    config: Config
    scripts: ScriptDirectory
    history: History

    def steps(self, target: Target, current: Any, *, going_up: bool) -> list[RevisionStep]:
        """Return Alembic's own steps to a target."""
        goal = target.revisions[0] if len(target.revisions) == 1 else target.name
        if going_up:
            return self.scripts._upgrade_revs(goal, current)
        return self.scripts._downgrade_revs(goal, current)

    def run(
        self,
        steps: Callable[[Any, MigrationContext], MigrationSteps],
        configured: Callable[[MigrationContext], None] = lambda _context: None,
        overrides: Mapping[str, Any] = MappingProxyType({}),
        **options: Any,
    ) -> None:
        """Run env.py with these steps, one transaction each whatever env.py says itself.

        `configured` is called with the migration context when env.py has made it; `overrides` win
        over what env.py says, and `options` are Alembic's own for the environment. Every env.py
        calls `configure()`, plain or async; a subclass of EnvironmentContext would not be found
        by Alembic's proxies, so the method is replaced on the instance. A stop signal cancels the
        running statement.
        """
        interruption = Interruption()
        with EnvironmentContext(self.config, self.scripts, fn=steps, **options) as environment:
            configure = environment.configure

            def configure_and_tell(*arguments: Any, **keywords: Any) -> None:
                restore_logging()
                ours = {"transaction_per_migration": True, **overrides}
                configure(*arguments, **{**keywords, **ours})
                context = environment.get_context()
                # A revision whose cancelled statement was caught must not be recorded as applied.
                context.on_version_apply_callbacks += (lambda **_: raise_if_stopped(),)
                if context.connection is not None and not context.as_sql:
                    interruption.driver_connection = context.connection.connection.driver_connection
                configured(context)

            environment.configure = configure_and_tell  # type: ignore[method-assign]
            try:
                with interrupting(interruption):
                    self.scripts.run_env()
                raise_if_stopped()
            finally:
                restore_logging()

    def version_table(self, is_same_database: str) -> VersionTable:
        """Return where env.py keeps the revision; connects as env.py does, changes nothing.

        The query is true in the database that env.py is to work on, and nowhere else. Raises
        ConfigurationError where it works on another one.
        """
        found: list[VersionTable] = []

        def look(context: MigrationContext) -> None:
            session = MigrationSession(context)
            session.refuse_other_database(is_same_database)
            found.append(session.version_table())
            session.settle()

        def no_steps(_current: Any, _context: MigrationContext) -> MigrationSteps:
            return ()

        self.run(no_steps, look, dont_mutate=True)
        if not found:
            raise ConfigurationError(
                f"{self.scripts.env_py_location} never calls context.configure().",
                "Let it configure and run the migrations, as Alembic's templates do.",
            )
        return found[-1]


def open_project(alembic_config: Path, url: DatabaseUrl, *, may_be_empty: bool = False) -> Project:
    """Return the project that a configuration file describes, its whole history read.

    The file is `alembic.ini`, or a `pyproject.toml` with Alembic's table. Raises
    ConfigurationError for the file and HistoryBrokenError for what it leads to.
    """
    config = _config(alembic_config)
    config.attributes[RUN_BY_BOOT] = True
    try:
        config.set_main_option("sqlalchemy.url", url.sqlalchemy_url.replace("%", "%%"))
        scripts = ScriptDirectory.from_config(config)
    except (CommandError, configparser.Error, ValueError) as error:  # ValueError: TOML, encoding
        cause = str(error).partition("\n")[0].rstrip(".")
        raise ConfigurationError(
            f"{alembic_config} describes no Alembic project: {cause}.",
            "Mend it; script_location names the folder with env.py.",
        ) from error
    history = read_history(scripts)
    if not history.revisions and not may_be_empty:
        folders = ", ".join(str(folder) for folder in scripts._version_locations)
        raise HistoryBrokenError(
            f"There are no revisions in {folders}.",
            "Check that the folder was shipped, or write the first with `inv revision`.",
        )
    return Project(config, scripts, history)


def _config(path: Path) -> Config:
    if not path.is_file():
        raise ConfigurationError(
            f"{path} does not exist.", "Set ALEMBIC_CONFIG, or run this where alembic.ini is."
        )
    return Config(toml_file=str(path)) if path.suffix == ".toml" else Config(str(path))


def read_history(scripts: ScriptDirectory) -> History:
    """Return the whole history on disk. Raises HistoryBrokenError."""
    try:
        # Alembic only warns of a missing parent or a duplicate, and goes on to a KeyError.
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            revisions = {script.revision: _revision(script) for script in _walk(scripts)}
    except (BootError, Stopped):
        raise
    except (Exception, SystemExit) as error:
        raise _broken(_broken_by_warning(caught) or describe_error(error, scripts)) from error
    if problem := _broken_by_warning(caught):
        raise _broken(problem)
    return History(revisions)


def _walk(scripts: ScriptDirectory) -> Iterator[Script]:
    return scripts.walk_revisions("base", "heads")


def _revision(script: Script) -> Revision:
    parents = script.down_revision or ()
    return Revision(
        id=script.revision,
        parents=(parents,) if isinstance(parents, str) else tuple(parents),
        title=(script.doc or script.revision).rstrip("."),
        depends_on=tuple(sorted(script._resolved_dependencies)),
        branch_labels=tuple(sorted(script.branch_labels)),
        phase=getattr(script.module, "phase", None),
        path=Path(script.path),
    )


def _broken_by_warning(caught: list[warnings.WarningMessage] | None) -> str | None:
    messages = [str(warning.message) for warning in caught or ()]
    return next((text.rstrip(".") for text in messages if _BROKEN.search(text)), None)


def _broken(problem: str) -> HistoryBrokenError:
    return HistoryBrokenError(
        f"The migration history is broken: {problem}.",
        "Mend it and start again; the database was not touched.",
    )


def describe_error(error: BaseException, scripts: ScriptDirectory) -> str:
    """Return what went wrong on one line, with the migration's file and line where it did."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{Path(error.filename).name}, line {error.lineno}: {error.msg}"
    folders = [str(folder) for folder in scripts._version_locations]
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if any(frame.filename.startswith(folder) for folder in folders)
    ]
    where = f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}: " if frames else ""
    kind = "" if isinstance(error, CommandError) else f"{type(error).__name__}: "
    text = str(error).strip().splitlines() or [type(error).__name__]
    return f"{where}{kind}{text[0].rstrip('.')}"


def no_connection(error: BaseException) -> BootError | None:
    """Return what it means that env.py got no connection; None where the error is another one."""
    # SQLAlchemy knows of no statement where it was only connecting.
    if not isinstance(error, DBAPIError) or error.statement is not None:
        return None
    cause = (causes(str(error.orig)) or [type(error.orig).__name__])[-1].rstrip(".")
    what = f"Alembic's env.py could not connect: {cause}."
    if classify(str(error.orig)) is Refusal.NOT_YET:
        return DatabaseUnreachableError(what, "Nothing was changed. Start again.")
    return LoginRefusedError(what, "Nothing was changed. Mend the login that env.py uses.")
