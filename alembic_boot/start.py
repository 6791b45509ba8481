"""The whole start: wait, migrate, seed, serve."""

import logging
from collections.abc import Callable
from functools import partial

from alembic_boot.commands import as_typed, setting
from alembic_boot.description import BootDescription, OnFailure
from alembic_boot.errors import BootError
from alembic_boot.extras import require_server
from alembic_boot.history.ahead import reading_ahead
from alembic_boot.imports import keep_objects
from alembic_boot.output.log import report_cause
from alembic_boot.output.log_fields import failure_fields
from alembic_boot.output.masking import mask
from alembic_boot.output.stdout import reserved
from alembic_boot.postgres.connection import keeping_one
from alembic_boot.postgres.wait import wait_for_database
from alembic_boot.seed_calls import refuse_by_text
from alembic_boot.seeding import is_at_head, seed
from alembic_boot.serving.application import importing, require_application
from alembic_boot.serving.boot_server import BootServer
from alembic_boot.serving.handover import (
    hand_over,
    hand_over_project,
    hand_over_reached,
    hand_over_version_table,
)
from alembic_boot.serving.started import summary
from alembic_boot.signals import raise_if_stopped
from alembic_boot.situation import situation, timed
from alembic_boot.state.inspection import Inspection, SchemaState
from alembic_boot.waiting import wait

_log = logging.getLogger(__name__)


def start(boot: BootDescription, port: BootServer) -> None:
    """Bring the database to the newest schema and serve the application on a reserved port.

    Returns when a stop signal has ended the serving. Raises BootError.
    """
    require_server(reload=boot.serve.reload)
    require_application(boot.asgi_app)
    # The application itself is not imported: its own code may read the schema when it is.
    prepare(boot, *(() if boot.serve.reload else ("alembic_boot.serving.serve", *boot.preload)))
    from alembic_boot.serving.serve import serve

    serve(boot, port, before_reload=partial(start_again, boot))


def prepare(boot: BootDescription, *ahead: str) -> None:
    """Bring schema and data up to date: everything that comes before serving.

    `ahead` are modules to import while the process waits for the database. Raises BootError.
    """
    hand_over_project(boot)
    modules = ("alembic_boot.migration.migrate", *ahead)
    with reading_ahead(boot.alembic_config), keeping_one(boot.migration_database_url):
        with importing(*modules) as finish, timed("wait", _longest_wait(boot)):
            wait(boot, partial(_refuse_broken_history, boot, finish))
        if boot.schema.rollback:
            _log.warning(
                "%s is set: every replica needs the same value, or they migrate against each other",
                setting("ROLLBACK"),
            )
        _migrate_and_seed(boot)


def start_again(boot: BootDescription) -> None:
    """Run the stages of `start` before serving, in the process that a reload has begun.

    Raises BootError for failures that end a start, too.
    """
    hand_over_project(boot)
    with keeping_one(boot.migration_database_url):
        with timed("wait"):
            wait(boot)
        _migrate_and_seed(boot)


def serve_alone(boot: BootDescription, port: BootServer) -> None:
    """Serve the application on a reserved port without touching the schema.

    Its readiness needs the version table; if that cannot be found now, Alembic's default is used.
    Raises BootError.
    """
    from alembic_boot.migration.migrate import locate_version_table
    from alembic_boot.serving.serve import serve

    require_server(reload=boot.serve.reload)
    hand_over_project(boot)
    try:
        wait_for_database(boot.migration_database_url, timeout=0)
        hand_over_version_table(boot, locate_version_table(boot))
    except BootError as error:
        _log.warning("The version table cannot be found now: %s", error)
    serve(boot, port)


def _migrate_and_seed(boot: BootDescription) -> None:
    """Bring schema and data up to date, and hand over what was done and how long it took.

    If the schema cannot be brought up to date, continue if allowed.
    """
    from alembic_boot.migration.migrate import migrate

    reached, rows = SchemaState.CURRENT, None
    if boot.seed:
        refuse_by_text(boot.seed_callable)

    def then(inspection: Inspection) -> None:
        nonlocal reached, rows
        hand_over_reached(boot, inspection)
        reached = inspection.state
        with timed("seed"):
            rows = _seed(boot, inspection)

    keep_objects()
    try:
        with timed("migrate"), reserved():
            located = partial(hand_over_version_table, boot)
            plan = migrate(boot, then, located, is_alone=boot.seed)
        did = summary(plan, reached, rows)
    except BootError as error:
        if not _may_go_on(boot, error):
            raise
        report_cause(error)
        _log.error("%s", error, extra=failure_fields(error))
        _log.warning("Database migrations failed, but continuing...")
        command = as_typed(error.command) if error.command else None
        cause = mask(str(error))[:1000]
        kind = type(error).__name__
        hand_over(boot, failure=error.public, cause=cause, command=command, kind=kind)
        did = "migrations failed"
    now = situation()
    hand_over(boot, stages=dict(now.seconds), began_at=now.began_at, did=did)


def _seed(boot: BootDescription, inspection: Inspection) -> int | None:
    """Insert absent rows, and return their number if it is known."""
    raise_if_stopped()
    if not boot.seed:
        return None
    if is_at_head(inspection):
        return seed(boot, inspection)
    if inspection.unknown:
        _log.info("Seeding skipped: the schema is ahead of this release")
    else:
        _log.info("Seeding skipped: the schema is pinned to %s", inspection.target.name)
    return None


def _refuse_broken_history(
    boot: BootDescription, finish: Callable[[], None], *, imports: bool
) -> None:
    """Raise an error if the history is invalid and that would end the start anyway.

    Running imports are finished first: the history may import the same modules.
    """
    finish()
    from alembic_boot.migration.migrate import check_history

    try:
        check_history(boot, imports=imports)
    except BootError as error:
        if not _may_go_on(boot, error):
            raise


def _longest_wait(boot: BootDescription) -> float:
    """Return the seconds that waiting may take: for each URL, and for a database just created."""
    return 3 * boot.wait_timeout


def _may_go_on(boot: BootDescription, error: BootError) -> bool:
    return error.concerns_schema and boot.on_failure is OnFailure.CONTINUE
