"""The tasks of the backend: `inv --list` shows them, `inv --help TASK` explains one.

This file is glue only: the work is done in `alembic_boot`, and for containers in `backend/stack`.
Both are imported when a task runs.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial, wraps
from inspect import Parameter, signature
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task as invoke_task

from alembic_boot import actions, show

if TYPE_CHECKING:
    from alembic_boot import BootDescription, BootServer, Overrides
    from backend.settings import Settings
    from backend.stack.compose.project import Place

_BIN = Path(sys.executable).parent
"""The folder with the tools of this environment, for any PATH."""

_STANDINS = Path("docker/standins")

task = partial(invoke_task, auto_shortflags=False)

_ARGS = "More for pytest, as in a shell."

_IN = "Run it in a container of the stack: the name of the service, such as backend."

_PORT = "The port to serve on (default: BACKEND_PORT, else 8000)."

_ALEMBIC = {
    "x": "An argument for env.py, as `alembic -x` has it; may be repeated (default: ALEMBIC_X).",
    "n": "The section of alembic.ini to read, as `alembic -n` has it (default: ALEMBIC_NAME).",
}
"""The help of the flags for env.py."""


def _prepared() -> None:
    """Prepare this process for the project; a task's imports come after it."""
    # `inv` finds this file from any subfolder, but paths are relative to the project's folder.
    os.chdir(Path(__file__).parent)
    # `inv` turns bytecode off; then every start would compile everything again.
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))

    from alembic_boot import import_quickly

    import_quickly()


def _booting(
    task: str, stream: str = "stdout", /, **overrides: str | None
) -> AbstractContextManager["BootDescription"]:
    """Yield what to boot; `overrides` are variables that flags set."""
    _prepared()
    from backend.booting import booting

    return booting(task, stream, overrides)


def _session(task: str, /, **overrides: str | None) -> AbstractContextManager["Settings"]:
    """Yield the settings of a task that needs no database."""
    _prepared()
    from backend.booting import session

    return session(task, "stdout", overrides)


def _serving(
    task: str, /, **overrides: str | None
) -> AbstractContextManager[tuple["BootDescription", "BootServer"]]:
    """Yield what to boot and the port to serve on."""
    _prepared()
    from backend.booting import serving

    return serving(task, overrides)


def _logged(stream: str = "stdout") -> AbstractContextManager["Settings"]:
    """Yield the log's own settings, for a task that needs no others."""
    _prepared()
    from alembic_boot import reporting_failures
    from backend.settings import load_settings
    from backend.variables import Use

    # The variables of a stack are for its containers: BACKEND_PORT may be a range of ports.
    return reporting_failures(partial(load_settings, uses=(Use.LOG,)), stream)


@contextmanager
def _stack(stream: str = "stdout") -> Iterator["Place"]:
    """Yield the stack of containers of this folder's Compose files."""
    with _logged(stream):
        from backend.stack.compose.reading import read_place

        yield read_place(Path.cwd())


def _run_inside(service: str, task: str, **flags: str | bool | list[str] | None) -> None:
    """Run a task in a service's container, and exit with its status."""
    with _stack("stderr") as place:
        from backend.stack.engine.connection import streaming
        from backend.stack.inside import inv_command, run_inside

        with streaming() as client:
            status = run_inside(client, place, service, inv_command(task, flags))
    if status:
        raise SystemExit(status)


def _alembic_task(
    *, has_in: bool = False, **helps: str
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that makes a task with the function's flags, `-x` and `-n`.

    The first argument of the function are the variables that `-x` and `-n` set: child processes of
    env.py read them, too. With `has_in` the task has `--in`, which runs it in a container instead.
    """
    helps |= _ALEMBIC | ({"in": _IN} if has_in else {})

    def decorate(body: Callable[..., None]) -> Callable[..., None]:
        @wraps(body)
        def run(
            _c: Context,
            *,
            in_: str | None = None,
            x: Sequence[str] = (),
            n: str | None = None,
            **flags: str | bool | None,
        ) -> None:
            if in_:
                _run_inside(in_, body.__name__, **flags, x=[*x], n=n)
            else:
                body({"ALEMBIC_X": join(x), "ALEMBIC_NAME": n}, **flags)

        own = signature(body)
        names = ("in_", "x", "n") if has_in else ("x", "n")
        more = [Parameter(it, Parameter.KEYWORD_ONLY, default=None) for it in names]
        # Invoke reads the flags from it.
        run.__signature__ = own.replace(  # type: ignore[attr-defined]
            parameters=[*own.parameters.values(), *more]
        )
        return task(run, iterable=["x"], help=helps)

    return decorate


@task
def wait_db(_c: Context) -> None:
    """Wait until PostgreSQL accepts the real login, at most DB_WAIT_TIMEOUT seconds.

    In dev and test a missing database is created.
    """
    with _booting("wait-db") as boot:
        actions.wait(boot)


@_alembic_task(
    has_in=True,
    target="The revision to go up to (default: MIGRATION_TARGET, else head).",
    dry_run="Print the state and the plan, and change nothing.",
    sql="Print the SQL of the pending revisions, and change nothing.",
)
def migrate(
    alembic: "Overrides", target: str | None = None, dry_run: bool = False, sql: bool = False
) -> None:
    """Bring the schema to its newest revision."""
    task, stream = ("preview", "stderr") if dry_run or sql else ("migrate", "stdout")
    with _booting(task, stream, MIGRATION_TARGET=target, **alembic) as boot:
        actions.migrate(boot, dry_run=dry_run, sql=sql)


@_alembic_task(
    has_in=True,
    target="The revision to go down to (default: the one below the database's own).",
    yes="Go ahead without asking.",
)
def rollback(alembic: "Overrides", target: str | None = None, yes: bool = False) -> None:
    """Take the schema back by one revision or to a target; asks first."""
    down = {"MIGRATION_TARGET": target, "MIGRATION_ROLLBACK": "true"}
    with _booting("rollback", **down, **alembic) as boot:
        actions.roll_back(boot, is_one_step=not target, is_agreed=yes)


@_alembic_task(has_in=True)
def seed(alembic: "Overrides") -> None:
    """Insert the development data that is absent."""
    with _booting("seed", **alembic) as boot:
        actions.seed(boot)


@_alembic_task(port=_PORT)
def serve(alembic: "Overrides", port: str | None = None) -> None:
    """Serve the application without touching the schema."""
    with _serving("serve", BACKEND_PORT=port, **alembic) as (boot, boot_server):
        actions.serve(boot, boot_server)


@_alembic_task(
    dry_run="Print the state and the plan; change nothing and serve nothing.", port=_PORT
)
def start(alembic: "Overrides", dry_run: bool = False, port: str | None = None) -> None:
    """Wait for PostgreSQL, migrate, seed and serve: the one command for a whole start."""
    if dry_run:
        with _booting("preview", "stderr", **alembic) as boot:
            actions.migrate(boot, dry_run=True)
        return
    with _serving("start", BACKEND_PORT=port, **alembic) as (boot, boot_server):
        actions.start(boot, boot_server)


@_alembic_task(has_in=True, json="Print one JSON object, for programs.")
def status(alembic: "Overrides", json: bool = False) -> None:
    """Show where the schema is and where it should be, with the newest rows of the journal.

    The exit status is 0 in every state. It is not 0 if the database cannot be read. It is 9 if the
    history is broken or has two heads.
    """
    level = os.environ.get("LOG_LEVEL") or "warning"
    with _booting("status", "stderr", LOG_LEVEL=level, **alembic) as boot:
        actions.status(boot, json=json)


@_alembic_task(
    has_in=True,
    revision="The revision to record, if the schema equals several.",
    restamp="Replace recorded revisions that this history does not have, or has edited.",
    dry_run="Show which revision it is, and change nothing.",
)
def adopt(
    alembic: "Overrides", revision: str | None = None, restamp: bool = False, dry_run: bool = False
) -> None:
    """Record the revision of a database that has none recorded."""
    with _booting("adopt", **alembic) as boot:
        actions.adopt(boot, revision, restamp=restamp, dry_run=dry_run)


@_alembic_task(
    has_in=True,
    revision="The revision, heads for all branches, or base if no table is of this history.",
)
def stamp(alembic: "Overrides", revision: str | None = None) -> None:
    """Record a revision without any check: nothing is run, and nothing is compared."""
    with _booting("stamp", **alembic) as boot:
        actions.stamp(boot, revision)


@_alembic_task(message="The title of the revision, in a few words.")
def revision(alembic: "Overrides", message: str | None = None) -> None:
    """Write a new revision from the differences between the models and the history."""
    with _booting("revision", **alembic) as boot:
        actions.write_revision(boot, message)


@_alembic_task(message="The title of the merge revision, in a few words.")
def merge(alembic: "Overrides", message: str | None = None) -> None:
    """Write a revision that joins the heads of the history; needs no database."""
    with _session("merge", **alembic) as settings:
        actions.write_merge(settings.alembic_config, settings.migration_database_url, message)


@_alembic_task(since="Only go up to this revision, and check those after it.")
def check(alembic: "Overrides", since: str | None = None) -> None:
    """Replay the history on a scratch database: up, down, up, and equal to the models."""
    with _booting("check", **alembic) as boot:
        actions.check(boot, since, every=since is None)


@task(
    iterable=["scale"],
    help={"scale": "The number of containers of a service, as in backend=5; may be repeated."},
)
def up(_c: Context, scale: list[str]) -> None:
    """Build and start the containers of docker-compose.yml, and wait until they are healthy."""
    with _stack():
        from backend.stack.compose.reading import read_project
        from backend.stack.engine.connection import engine
        from backend.stack.listing import addresses
        from backend.stack.up import parse_scale, up

        project = read_project(Path.cwd())
        with engine() as client:
            members = up(client, project, parse_scale(scale))
            show(*addresses(project, members))


@task(help={"rebuild": "Build existing stand-ins again."})
def images(_c: Context, rebuild: bool = False) -> None:
    """Make stand-ins for the base images, if no image registry can be reached."""
    with _stack():
        from backend.stack.engine.connection import engine
        from backend.stack.standins import make_standins

        with engine() as client:
            names = make_standins(client, _STANDINS, Path(".env"), rebuild=rebuild)
        show(*(f"{variable}={name}" for variable, name in names.items()))


@task(help={"volumes": "Remove the volumes too, and with them the database."})
def down(_c: Context, volumes: bool = False) -> None:
    """Stop and remove the containers; the database stays."""
    with _stack() as place:
        from backend.stack.down import down
        from backend.stack.engine.connection import engine

        with engine() as client:
            down(client, place, with_volumes=volumes)


@task(help={"service": "This service only."})
def restart(_c: Context, service: str | None = None) -> None:
    """Restart the containers, and wait until they are healthy."""
    with _stack() as place:
        from backend.stack.engine.connection import engine
        from backend.stack.restart import restart

        with engine() as client:
            restart(client, place, service)


@task
def ps(_c: Context) -> None:
    """List the containers, with their health and their published ports."""
    with _stack("stderr") as place:
        from backend.stack.engine.connection import engine
        from backend.stack.listing import listing

        with engine() as client:
            show(listing(client, place))


@task(
    help={
        "follow": "Go on until Ctrl-C, or until the containers stop.",
        "service": "This service only.",
        "tail": "The number of earlier lines to print of each container.",
    },
)
def logs(
    _c: Context, follow: bool = False, service: str | None = None, tail: str | None = None
) -> None:
    """Print the output of the containers."""
    with _stack("stderr") as place:
        from backend.stack.engine.connection import streaming
        from backend.stack.logs import followed, parse_tail, until_interrupted, written

        lines = followed if follow else written
        with streaming() as client, until_interrupted():
            for line in lines(client, place, service, parse_tail(tail)):
                show(line)


@task(help={"service": "The service of the container (default: backend)."})
def shell(_c: Context, service: str = "backend") -> None:
    """Open a shell in a running container."""
    with _stack("stderr") as place:
        from backend.stack.engine.connection import streaming
        from backend.stack.inside import open_shell

        with streaming() as client:
            status = open_shell(client, place, service)
    if status:
        raise SystemExit(status)


@task
def build(_c: Context) -> None:
    """Build the images of docker-compose.yml."""
    with _stack():
        from backend.stack.compose.reading import read_project
        from backend.stack.engine.connection import engine
        from backend.stack.engine.images import build_images

        project = read_project(Path.cwd())
        with engine() as client:
            build_images(client, project)


@task
def lint(c: Context) -> None:
    """Check style (ruff), types (mypy) and who may import whom (import-linter)."""
    for command in ("ruff check", "ruff format --check", "mypy", "lint-imports"):
        c.run(f"{_BIN / command}", pty=sys.stdout.isatty())


@task(
    help={
        "quick": "Leave out tests that take more than a second or have a database of their own.",
        "args": _ARGS,
    },
)
def test(c: Context, quick: bool = False, args: str = "") -> None:
    """Run the tests on PostgreSQL servers that they start themselves.

    Tests that measure under load come last, while no other test runs.
    """
    _prepared()
    from backend.ci.passes import arguments, goes_on, verdict

    # Without a terminal, Invoke would pass a Ctrl-C to an input that has ended.
    typed = None if sys.stdin.isatty() else False
    statuses: list[int] = []
    for given in arguments(os.cpu_count() or 1, args, quick=quick):
        command = f"{_BIN / 'pytest'} {given}"
        finished = c.run(command, pty=sys.stdout.isatty(), in_stream=typed, warn=True)
        # A result of a command that failed is false itself.
        statuses.append(0 if finished is None else finished.exited)
        if not goes_on(statuses[-1]):
            break
    if status := verdict(statuses):
        raise SystemExit(status)


@task(
    help={
        "quick": "Run each benchmark once with few repetitions: a few minutes.",
        "only": "One of start, current, upgrade, wait, starters, crowd, traffic, commands, reads "
        "and attacks.",
        "json": "A file for the measurements of every run.",
        "args": "More: --rounds N, --plots FOLDER, --markdown.",
    },
)
def bench(
    c: Context,
    quick: bool = False,
    only: str | None = None,
    json: str | None = None,
    args: str = "",
) -> None:
    """Compare with other tools; takes half an hour."""
    from shlex import quote

    flags = {"only": only, "json": json}
    given = [f"--{name} {quote(text)}" for name, text in flags.items() if text]
    command = [f"{_BIN / 'python'} -m tests.benchmarks", *given, *(["--quick"] if quick else [])]
    typed = None if sys.stdin.isatty() else False
    c.run(" ".join([*command, args]), pty=sys.stdout.isatty(), in_stream=typed)


@task
def reference(_c: Context) -> None:
    """Write docs/reference.md and .env.example from the code."""
    with _logged("stderr"):
        from backend.reference import write_reference

        root = Path.cwd()
        show(*(f"Wrote {path.relative_to(root)}" for path in write_reference(root, ns)))


def _run_ci(*steps: str, args: str = "") -> None:
    """Run steps of the pipeline."""
    with _logged():
        from backend.ci.pipeline import run_pipeline

        run_pipeline(Path.cwd(), steps, args)


@task(default=True, name="all")
def ci_all(_c: Context) -> None:
    """Run the whole pipeline: lint, image and test."""
    _run_ci("lint", "image", "test")


@task(name="lint")
def ci_lint(_c: Context) -> None:
    """Check style, types, imports and Dockerfiles."""
    _run_ci("lint")


@task(name="test", help={"args": _ARGS})
def ci_test(_c: Context, args: str = "") -> None:
    """Run all tests."""
    _run_ci("test", args=args)


@task(name="image")
def ci_image(_c: Context) -> None:
    """Build the image, check that it is fit to serve, and remove it."""
    _run_ci("image")


@task(name="scenarios", help={"args": _ARGS})
def ci_scenarios(_c: Context, args: str = "") -> None:
    """Build the image, and run the scenarios in containers of it."""
    _run_ci("image", "scenarios", args=args)


@task(name="bench")
def ci_bench(_c: Context) -> None:
    """Run all benchmarks once, with the tools that they are compared with."""
    _run_ci("bench")


ns = Collection(
    *(wait_db, migrate, rollback, seed, serve, start, status),
    *(adopt, stamp, revision, merge, check),
    *(images, build, up, down, restart, ps, logs, shell),
    *(lint, test, bench, reference),
    Collection("ci", ci_all, ci_lint, ci_test, ci_image, ci_scenarios, ci_bench),
)
