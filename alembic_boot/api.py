"""The functions for Python code: what the commands do, called from a program or a test.

Failures are the exceptions of `alembic_boot.errors`. The working folder, the signal handlers, the
log and stdout of the process stay as they are. Alembic has process-wide state, so one of these runs
at a time in a process.
"""

import configparser
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from alembic_boot.errors import BootError, ConfigurationError, LockTimeoutError
from alembic_boot.extras import require_psycopg2
from alembic_boot.own_work import own_call, runs_their_code

if TYPE_CHECKING:
    from alembic.config import Config

    from alembic_boot.checking.findings import Checked
    from alembic_boot.description import AlembicConfig, BootDescription
    from alembic_boot.migration.status import Status
    from alembic_boot.serving.router import AppRouter
    from alembic_boot.state.readiness import Readiness

    Project = str | os.PathLike[str] | Config | AlembicConfig

_at_work = threading.Lock()

_doing = ""
"""The work that may take long, while it runs."""


class _AtWorkError(LockTimeoutError):
    """A look at the schema does not wait for work of this process that may take long."""

    @property
    def public(self) -> str:
        """Return the public text."""
        return self.what


class Options(TypedDict, total=False):
    """The options besides the project and the URL; each has the default of the command."""

    migration_url: str
    """A direct connection of the schema's owner, if the application's is another one."""
    scratch_url: str
    """A database with the schema `boot_scratch`, for replays."""
    name: str
    """The section of `alembic.ini`, as in `alembic -n`."""
    arguments: tuple[str, ...]
    """Each `alembic -x`."""
    target: str
    """A revision, `head` or `heads`."""
    rollback: bool
    """Whether to go down to the target."""
    wait_timeout: float
    lock_timeout: float
    traffic_timeout: float
    create_database: bool
    """Whether to create the database if it is missing."""
    app_version: str
    """The release, for the journal."""


def migrate(
    project: "Project | None" = None, url: str | None = None, **options: Unpack[Options]
) -> "Status":
    """Wait for the database, bring its schema to the target, and return its state.

    `project` is a file, its folder, or an Alembic `Config`. If it is left out, it is the project of
    the boot that began this process, else that of the command's variables. `url` may be left out if
    DATABASE_URL is set, or if env.py has its own. Raises BootError.
    """
    with _alone(partial(describe, project, url, **options), "migration") as boot:
        from alembic_boot.migration.migrate import check_history, migrate as bring_to_target
        from alembic_boot.migration.status import read_status
        from alembic_boot.waiting import wait as wait_for

        wait_for(boot, partial(check_history, boot))
        bring_to_target(boot)
        return read_status(boot)


def wait(url: str, timeout: float = 60) -> None:
    """Wait until PostgreSQL accepts the login and takes writes. Raises BootError."""
    require_psycopg2()
    from alembic_boot.postgres.urls import parse_database_url
    from alembic_boot.postgres.wait import wait_for_database

    wait_for_database(parse_database_url(url, "The URL"), timeout)


def status(
    project: "Project | None" = None, url: str | None = None, **options: Unpack[Options]
) -> "Status":
    """Return the state of the schema; changes nothing and does not wait. Raises BootError."""
    with _alone(partial(describe, project, url, **options)) as boot:
        from alembic_boot.migration.status import read_status

        return read_status(boot)


def check(
    project: "Project | None" = None,
    url: str | None = None,
    *,
    since: str | None = None,
    every: bool = False,
    **options: Unpack[Options],
) -> "Checked":
    """Replay the history on a scratch database, and return the faults that were found.

    `since` and `every` say which revisions go down and up again: those after a revision, or all.
    Raises BootError if the check is impossible.
    """
    with _alone(partial(describe, project, url, **options), "check") as boot:
        from alembic_boot.checking.check import find_faults

        return find_faults(boot, since, every=every)


def readiness(
    project: "Project | None" = None, url: str | None = None, **options: Unpack[Options]
) -> "Readiness":
    """Return whether the schema fits this release, and why not; raises for nothing foreseen."""
    try:
        require_psycopg2()
    except BootError as error:
        from alembic_boot.state.readiness import Readiness

        return Readiness(ready=False, reason=error.public, cause=str(error))
    from alembic_boot.serving.router import LazyProbe

    probe = LazyProbe(partial(_alone, partial(describe, project, url, **options), waits=False))
    try:
        return probe.check()
    finally:
        probe.close()


def readiness_router(
    project: "Project | None" = None,
    url: str | None = None,
    *,
    live_path: str = "/health/live",
    ready_path: str = "/health/ready",
    status_page: bool | None = None,
    **options: Unpack[Options],
) -> "AppRouter":
    """Return routes for `app.include_router` of FastAPI, or for the routes of Starlette.

    Liveness is 200. Readiness is 503 while the schema does not fit this release. Nothing is opened
    before the first request. `status_page` shows `/_boot`, or not; None shows it in an application
    with `debug=True`.
    """
    require_psycopg2()
    from alembic_boot.serving.router import make_router

    described = partial(_alone, partial(describe, project, url, **options), waits=False)
    return make_router(described, live_path, ready_path, shows_page=status_page)


def describe(
    project: "Project | None" = None, url: str | None = None, **options: Unpack[Options]
) -> "BootDescription":
    """Return what these arguments describe. Raises ConfigurationError."""
    require_psycopg2()
    from alembic_boot.description import BootSettings, SchemaPolicy
    from alembic_boot.postgres.urls import DatabaseUrl, hide_password, parse_database_url

    def parsed(text: str | None, name: str) -> DatabaseUrl | None:
        found = parse_database_url(text, name) if text else None
        hide_password(found)
        return found

    config = _alembic_config(project, options)
    is_known = url or options.get("migration_url")
    environ = {} if is_known else os.environ
    own = parsed(url or environ.get("DATABASE_URL"), "DATABASE_URL")
    direct = parsed(
        options.get("migration_url") or environ.get("MIGRATION_DATABASE_URL"),
        "MIGRATION_DATABASE_URL",
    )
    if (real := direct or own) is None:
        from alembic_boot.environment.own_url import own_url

        _refuse_calls_by_env_py()
        real = own_url(config)
    settings = BootSettings(
        alembic_config=config,
        scratch_database_url=parsed(options.get("scratch_url"), "SCRATCH_DATABASE_URL"),
        schema=SchemaPolicy(
            target=options.get("target"),
            rollback=options.get("rollback", False),
            lock_timeout=options.get("lock_timeout", SchemaPolicy.lock_timeout),
            traffic_timeout=options.get("traffic_timeout", SchemaPolicy.traffic_timeout),
        ),
        wait_timeout=options.get("wait_timeout", BootSettings.wait_timeout),
        may_create_database=options.get("create_database", False),
        app_version=options.get("app_version"),
    )
    return settings.on(own or real, real)


def _refuse_calls_by_env_py() -> None:
    """Raise ConfigurationError if env.py or a revision calls: it would wait for its own end."""
    if runs_their_code():
        raise ConfigurationError(
            "env.py, or a module that it imports, calls alembic_boot while alembic_boot runs it.",
            "Call it where the application starts, not where its modules are imported.",
        )


@contextmanager
def _alone(
    describe: Callable[[], "BootDescription"], does: str = "", *, waits: bool = True
) -> Iterator["BootDescription"]:
    """Have the state of Alembic for this call, and leave the log as it is.

    `does` names work that may take long. Without `waits`, raise an error while such work runs.
    """
    global _doing  # noqa: PLW0603 (a process has one state of Alembic)
    require_psycopg2()
    if waits:
        _refuse_calls_by_env_py()
    elif runs_their_code():
        raise _AtWorkError(
            f"A {_doing or 'command'} runs in this process.", "Ask again when it has ended."
        )
    from alembic_boot.output.log import keeping_logging

    while not _at_work.acquire(timeout=-1 if waits else 0.05):
        if _doing:
            raise _AtWorkError(f"A {_doing} runs in this process.", "Ask again when it has ended.")
    try:
        _doing = does
        with own_call(), keeping_logging():
            yield describe()
    finally:
        _doing = ""
        _at_work.release()


def _alembic_config(project: "Project | None", options: Options) -> "AlembicConfig":
    from alembic_boot.description import AlembicConfig
    from alembic_boot.settings import find_config, working_folder

    if isinstance(project, AlembicConfig):
        return project
    if project is None:
        if not options.keys() & {"name", "arguments"}:
            return _default_project()
        project = "."
    name, arguments = options.get("name", "alembic"), options.get("arguments", ())
    if isinstance(project, str | os.PathLike):
        file = Path(project)
        here = working_folder()
        if os.path.isdir(file):  # noqa: PTH112 (Path's raises below a folder that is closed)
            file = find_config(file)
        return AlembicConfig(file.absolute(), name, arguments, working_folder=here)
    section = project.config_ini_section
    file = Path(project.config_file_name or project.toml_file_name or "alembic.ini")
    try:
        given = project.file_config.items(section, raw=True)
    except (configparser.Error, ValueError) as error:  # ValueError: the encoding
        from alembic_boot.environment.command_line import no_project
        from alembic_boot.named_files import is_there

        if file.suffix != ".toml":
            is_there(file)  # if not, Alembic has taken it for an empty one
            raise no_project(file, error) from error
        raise ConfigurationError(
            f"{file} is not in the form of alembic.ini, as which this Config reads it.",
            f'Make the Config by Config(toml_file="{file}").',
        ) from error
    own = tuple((key, text) for key, text in given if key != "here")
    typed = tuple(getattr(project.cmd_opts, "x", None) or ())
    here = working_folder()
    return AlembicConfig(file.absolute(), section, arguments or typed, own, working_folder=here)


def _default_project() -> "AlembicConfig":
    """Return the project that this process was booted for, else that of the variables.

    Raises ConfigurationError.
    """
    from dataclasses import replace

    from alembic_boot.own_variables import VARIABLES
    from alembic_boot.serving.handover import project_of_boot
    from alembic_boot.settings import configured_project
    from alembic_boot.variables import read_values

    config = configured_project(read_values(os.environ, VARIABLES))
    return project_of_boot(config.arguments) or replace(config, file=config.file.absolute())
