"""The commands of `alembic-boot` as a collection of Invoke, for a project's tasks.py.

from alembic_boot.tasks import collection

ns = collection()
"""

from collections.abc import Sequence
from shlex import split

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task

from alembic_boot.cli import flag_helps, main


def collection(
    *, config: str | None = None, name: str | None = None, x: Sequence[str] = ()
) -> Collection:
    """Return the commands as tasks: `inv migrate --dry-run` does what the command does.

    The arguments are those of the command line: `-c`, `-n` and `-x`. Settings are read as for the
    command.
    """
    options = [*(["-c", config] if config else []), *(["-n", name] if name else [])]
    options += [word for it in x for word in ("-x", it)]

    def call(command: str, *words: str, **flags: str | bool | None) -> None:
        argv = [*options, command]
        for flag, value in flags.items():
            if value:
                argv.append(f"--{flag.replace('_', '-')}" + ("" if value is True else f"={value}"))
        main([*argv, *words])

    @task(auto_shortflags=False)
    def wait(_c: Context) -> None:
        """Wait until PostgreSQL accepts the real login."""
        call("wait")

    @task(auto_shortflags=False)
    def migrate(
        _c: Context, target: str | None = None, dry_run: bool = False, sql: bool = False
    ) -> None:
        """Bring the schema to its newest revision."""
        call("migrate", target=target, dry_run=dry_run, sql=sql)

    @task(auto_shortflags=False)
    def status(_c: Context, json: bool = False) -> None:
        """Show where the schema is and where it should be."""
        call("status", json=json)

    @task(auto_shortflags=False)
    def rollback(_c: Context, target: str | None = None, yes: bool = False) -> None:
        """Take the schema back by one revision or to a target; asks first."""
        call("rollback", target=target, yes=yes)

    @task(auto_shortflags=False)
    def adopt(
        _c: Context, revision: str | None = None, restamp: bool = False, dry_run: bool = False
    ) -> None:
        """Record the revision of a database that has none recorded."""
        call("adopt", revision=revision, restamp=restamp, dry_run=dry_run)

    @task(auto_shortflags=False)
    def stamp(_c: Context, revision: str) -> None:
        """Record a revision without any check: nothing is run or compared."""
        call("stamp", revision=revision)

    @task(auto_shortflags=False)
    def revision(_c: Context, message: str) -> None:
        """Write a new revision from what the models have and the history has not."""
        call("revision", message=message)

    @task(auto_shortflags=False)
    def merge(_c: Context, message: str) -> None:
        """Write a revision that joins the heads of the history; needs no database."""
        call("merge", message=message)

    @task(auto_shortflags=False)
    def check(
        _c: Context, since: str | None = None, all_: bool = False, format_: str = "text"
    ) -> None:
        """Replay the history on a scratch database: up, down, up, and equal to the models."""
        call("check", since=since, all=all_, format=format_)

    @task(auto_shortflags=False)
    def start(
        _c: Context, app: str | None = None, port: str | None = None, dry_run: bool = False
    ) -> None:
        """Wait, migrate, seed if asked, and serve an application with Uvicorn."""
        call("start", app=app, port=port, dry_run=dry_run)

    @task(auto_shortflags=False)
    def run(_c: Context, command: str) -> None:
        """Wait, migrate, seed if asked, and become the command: it gets this process."""
        call("run", "--", *split(command))

    tasks = (wait, migrate, status, rollback, adopt, stamp, revision, merge, check, start, run)
    helps_of = flag_helps()
    for made in tasks:
        helps = helps_of[made.name]
        names = [it.name for it in made.get_arguments()]
        made.help = {it: helps[it.replace("-", "_").strip("_")] for it in names}
    return Collection(*tasks)
