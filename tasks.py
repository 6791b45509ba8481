"""The tasks of the backend: `inv --list` shows them, `inv --help TASK` explains one.

Glue only: what a task does lives in `backend/boot`, imported when the task runs.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task

if TYPE_CHECKING:
    from socket import socket

    from backend.boot.description import BootDescription
    from backend.boot.migration.preview import Preview
    from backend.settings import Settings

_BIN = Path(sys.executable).parent
"""Where the tools of this environment are, whatever PATH says."""


@contextmanager
def _session(stream: str = "stdout", **overrides: str | None) -> Iterator["Settings"]:
    """Give the settings, with the log set up, signals heard and failures turned into statuses.

    `stream` is where the log goes: stderr for tasks whose stdout is data. `overrides` are
    variables that a flag sets.
    """
    # `inv` finds this file from any folder below it; paths are those of the project's own.
    os.chdir(Path(__file__).parent)
    # `inv` turns bytecode off, and everything would be compiled anew at every start.
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))

    from backend.boot.errors import BootError
    from backend.boot.log import configure_logging, report_failure, report_unforeseen
    from backend.boot.signals import Stopped, stopping_on_signals
    from backend.settings import load_settings

    log_format = os.environ.get("LOG_FORMAT", "text")
    try:
        with stopping_on_signals():
            os.environ.update({name: text for name, text in overrides.items() if text})
            settings = load_settings()
            log_format = settings.log_format
            configure_logging(settings.log_level, log_format, stream)
            yield settings
    except BootError as error:
        report_failure(str(error), log_format)
        raise SystemExit(error.exit_status) from None
    except Stopped as stop:
        report_failure(f"Stopped by {stop.name}.", log_format)
        raise
    except SystemExit:
        raise
    except BaseException:  # noqa: BLE001 (what nobody foresaw ends here, its passwords masked)
        report_unforeseen(log_format)
        raise SystemExit(1) from None


@contextmanager
def _database(settings: "Settings") -> Iterator["BootDescription"]:
    """Give what to boot, with an embedded PostgreSQL running where none is configured."""
    if settings.database_url is not None:
        yield settings.description()
        return
    from backend.boot.postgres.embedded import embedded_postgres
    from backend.boot.serving.handover import hand_over_database
    from backend.settings import DATA_FOLDER

    with embedded_postgres(DATA_FOLDER, settings.database_name) as url:
        hand_over_database(url)
        yield settings.description(url)


@contextmanager
def _booting(stream: str = "stdout", **overrides: str | None) -> Iterator["BootDescription"]:
    with _session(stream, **overrides) as settings, _database(settings) as boot:
        yield boot


@contextmanager
def _serving(port: str | None) -> Iterator[tuple["BootDescription", "socket"]]:
    """Give what to boot and the socket to serve on, reserved before anything else has moved."""
    from backend.boot.serving.port import reserved_port

    with _session(BACKEND_PORT=port) as settings:
        settings.require_secrets_to_serve()
        with reserved_port(settings.serve) as listener, _database(settings) as boot:
            yield boot, listener


def _print_preview(found: "Preview") -> None:
    """Print the state and the plan; raise what the plan refuses for."""
    print(found.as_text())
    if found.plan.refusal is not None:
        raise found.plan.refusal


@task(auto_shortflags=False)
def wait_db(_c: Context) -> None:
    """Wait until PostgreSQL accepts the real login, at most DB_WAIT_TIMEOUT seconds."""
    with _booting() as boot:
        from backend.boot.waiting import wait

        wait(boot)


@task(
    auto_shortflags=False,
    help={
        "target": "The revision to go up to (default: MIGRATION_TARGET, else head).",
        "dry_run": "Print the state and the plan, and change nothing.",
        "sql": "Print the SQL of the pending revisions, and change nothing.",
    },
)
def migrate(
    _c: Context, target: str | None = None, dry_run: bool = False, sql: bool = False
) -> None:
    """Bring the schema to its newest revision."""
    with _booting("stderr" if dry_run or sql else "stdout", MIGRATION_TARGET=target) as boot:
        if dry_run and sql:
            from backend.boot.errors import ConfigurationError

            raise ConfigurationError(
                "--dry-run and --sql print different things.", "Say one of them."
            )
        if dry_run:
            from backend.boot.migration.preview import preview

            _print_preview(preview(boot))
            return
        if sql:
            from backend.boot.migration.render import render_sql

            print(render_sql(boot))
            return
        from backend.boot.migration.migrate import check_history, migrate
        from backend.boot.waiting import wait

        wait(boot, before_creating=lambda: check_history(boot))
        migrate(boot)


@task(
    auto_shortflags=False,
    help={
        "target": "The revision to go down to (default: the parent of head).",
        "yes": "Go ahead without asking.",
    },
)
def rollback(_c: Context, target: str | None = None, yes: bool = False) -> None:
    """Take the schema back to an older revision; asks first."""
    with _booting(MIGRATION_TARGET=target, MIGRATION_ROLLBACK="true") as boot:
        from backend.boot.migration.migrate import migrate
        from backend.boot.migration.preview import preview
        from backend.boot.state.plan import Action

        found = preview(boot)
        if found.plan.refusal is None and found.plan.action is not Action.DOWNGRADE:
            target = found.inspection.target.name
            print(f"There is nothing to roll back: the schema is not beyond {target}.")
            return
        _print_preview(found)
        if yes or _is_agreed("Take these revisions back, with the data that only they hold?"):
            migrate(boot)
        else:
            print("Nothing was changed.")


@task(auto_shortflags=False)
def seed(_c: Context) -> None:
    """Insert the development data that is absent."""
    with _booting() as boot:
        from backend.boot.seeding import seed_alone

        seed_alone(boot)


@task(
    auto_shortflags=False,
    help={"port": "The port to serve on (default: BACKEND_PORT, else 8000)."},
)
def serve(_c: Context, port: str | None = None) -> None:
    """Serve the application without touching the schema."""
    with _serving(port) as (boot, listener):
        from backend.boot.serving.serve import serve

        serve(boot, listener)


@task(
    auto_shortflags=False,
    help={
        "dry_run": "Print the state and the plan; change nothing and serve nothing.",
        "port": "The port to serve on (default: BACKEND_PORT, else 8000).",
    },
)
def start(_c: Context, dry_run: bool = False, port: str | None = None) -> None:
    """Wait for PostgreSQL, migrate, seed and serve: the one command that gets there."""
    if dry_run:
        with _booting("stderr") as boot:
            from backend.boot.migration.preview import preview

            _print_preview(preview(boot))
        return
    with _serving(port) as (boot, listener):
        from backend.boot.start import start

        start(boot, listener)


@task(auto_shortflags=False, help={"json": "Print one JSON object, for programs."})
def status(_c: Context, json: bool = False) -> None:
    """Show where the schema is and where it should be."""
    with _booting("stderr", LOG_LEVEL=os.environ.get("LOG_LEVEL", "warning")) as boot:
        from backend.boot.migration.status import read_status

        found = read_status(boot)
        if json:
            from json import dumps

            print(dumps(found.as_json()))
        else:
            print(found.as_text())


@task(auto_shortflags=False, help={"message": "What the revision does, in a few words."})
def revision(_c: Context, message: str | None = None) -> None:
    """Write a new revision from what the models have and the history has not."""
    with _booting() as boot:
        if not message:
            from backend.boot.errors import ConfigurationError

            raise ConfigurationError(
                "A revision needs a message.", 'Say --message "what it does, in a few words".'
            )
        from backend.boot.migration.revise import write_revision
        from backend.boot.waiting import wait

        wait(boot)
        written = write_revision(boot, message)
        advice = (
            "it is empty, for the models have nothing that the history has not."
            if written.is_empty
            else "read it, and decide its phase."
        )
        print(f"Wrote {written.path}: {advice}")


@task(auto_shortflags=False)
def check(_c: Context) -> None:
    """Replay the history on a scratch database: up, down, up, and equal to the models."""
    with _booting() as boot:
        from backend.boot.migration.check import check
        from backend.boot.waiting import wait

        wait(boot)
        check(boot)
        print("The history is sound: every revision goes up, down and up, and meets the models.")


@task(auto_shortflags=False)
def lint(c: Context) -> None:
    """Check style (ruff), types (mypy) and who may import whom (import-linter)."""
    for command in ("ruff check", "ruff format --check", "mypy", "lint-imports"):
        c.run(f"{_BIN / command}", pty=sys.stdout.isatty())


@task(
    auto_shortflags=False,
    help={"quick": "Leave out what takes more than a second.", "args": "More for pytest."},
)
def test(c: Context, quick: bool = False, args: str = "") -> None:
    """Run the tests on PostgreSQL servers that they start themselves."""
    chosen = ["-m", "'not slow'"] if quick else []
    c.run(" ".join([f"{_BIN / 'pytest'}", *chosen, args]), pty=sys.stdout.isatty())


def _is_agreed(question: str) -> bool:
    from backend.boot.errors import ConfigurationError

    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        print()
        raise ConfigurationError("Nobody is there to be asked.", "Say --yes.") from None


ns = Collection(wait_db, migrate, rollback, seed, serve, start, status, revision, check, lint, test)
