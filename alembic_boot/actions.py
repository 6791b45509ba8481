"""The work of each command on a boot: the same for the command line and for Invoke tasks.

Results are printed to stdout. Failures are BootErrors. What an action needs is imported when it
runs.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from alembic_boot.imports import keep_objects
from alembic_boot.output.stdout import show

if TYPE_CHECKING:
    from alembic_boot.description import AlembicConfig, BootDescription
    from alembic_boot.postgres.urls import DatabaseUrl
    from alembic_boot.serving.boot_server import BootServer


def wait(boot: "BootDescription") -> None:
    """Wait until the real login works."""
    from alembic_boot.waiting import wait

    wait(boot)


def _wait_unless(boot: "BootDescription", refuse: Callable[[], object]) -> None:
    """Wait as `wait` does. If a database does not answer at once, `refuse` may raise instead."""
    from alembic_boot.waiting import wait

    def check(**_imports: bool) -> None:
        refuse()

    wait(boot, check)


def migrate(boot: "BootDescription", *, dry_run: bool = False, sql: bool = False) -> None:
    """Bring the schema to its target; or print the plan, or the SQL."""
    if dry_run and sql:
        from alembic_boot.errors import ConfigurationError

        raise ConfigurationError("--dry-run and --sql print different things.", "Use one of them.")
    if dry_run:
        from alembic_boot.migration.preview import preview, show_preview

        show_preview(preview(boot))
        return
    if sql:
        from alembic_boot.migration.render import render_sql

        show(render_sql(boot))
        return
    from alembic_boot.history.ahead import reading_ahead

    with reading_ahead(boot.alembic_config):
        from alembic_boot.migration.migrate import check_history, migrate
        from alembic_boot.waiting import wait

        wait(boot, partial(check_history, boot))
        keep_objects()
        migrate(boot)


def roll_back(boot: "BootDescription", *, is_one_step: bool, is_agreed: bool) -> None:
    """Take the schema back by one revision, or to the target of the boot."""
    from alembic_boot.migration.roll_back import roll_back

    roll_back(boot, is_one_step=is_one_step, is_agreed=is_agreed)


def status(boot: "BootDescription", *, json: bool = False) -> None:
    """Print where the schema is and where it should be."""
    from alembic_boot.migration.status import read_status

    found = read_status(boot)
    if json:
        from json import dumps

        show(dumps(found.as_json()))
    else:
        show(found.as_text())


def adopt(
    boot: "BootDescription", revision: str | None, *, restamp: bool = False, dry_run: bool = False
) -> None:
    """Record the revision of a database that has none recorded."""
    from alembic_boot.adoption.adopt import adopt
    from alembic_boot.migration.migrate import check_history

    _wait_unless(boot, partial(check_history, boot, imports=False))
    adopt(boot, revision, restamp=restamp, dry_run=dry_run)


def stamp(boot: "BootDescription", revision: str | None) -> None:
    """Record a revision without any check."""
    if not revision:
        from alembic_boot.errors import ConfigurationError

        raise ConfigurationError(
            "The revision to record is missing.", "Name it, as in --revision 008."
        )
    from alembic_boot.running.record import stamp

    wait(boot)
    stamp(boot, revision)


def write_revision(boot: "BootDescription", message: str | None) -> None:
    """Write a revision from what the models have and the history has not; print its path."""
    from alembic_boot.checking.new_revision import refuse_several_heads, required, write_revision

    text = required(message, "revision")
    _wait_unless(boot, partial(refuse_several_heads, boot))
    show(write_revision(boot, text))


def write_merge(alembic: "AlembicConfig", url: "DatabaseUrl | None", message: str | None) -> None:
    """Write a revision that joins the heads, and print its path; needs no database."""
    from alembic_boot.checking.new_revision import required, write_merge

    show(str(write_merge(alembic, url, required(message, "merge"))))


def check(
    boot: "BootDescription",
    since: str | None = None,
    *,
    every: bool = False,
    form: str = "text",
) -> None:
    """Replay the history on a scratch database, and print the result.

    `form` is text, json or github.
    """
    from alembic_boot.checking.check import check, find_faults, open_with_target

    _wait_unless(boot, partial(open_with_target, boot))
    if form == "text":
        show(str(check(boot, since, every=every)))
        return
    found = find_faults(boot, since, every=every)
    show(*found.lines(form))
    found.refuse()


def seed(boot: "BootDescription") -> None:
    """Insert the data that is absent."""
    from alembic_boot.seeding import seed_alone

    seed_alone(boot)


def start(boot: "BootDescription", port: "BootServer") -> None:
    """Wait, migrate, seed and serve."""
    from alembic_boot.start import start

    start(boot, port)


def serve(boot: "BootDescription", port: "BootServer") -> None:
    """Serve the application without touching the schema."""
    from alembic_boot.start import serve_alone

    serve_alone(boot, port)
