"""`alembic upgrade` typed by hand: the same loop with the same lock and journal, through env.py."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError

from alembic_boot.environment.opening import RUN_BY_BOOT
from alembic_boot.errors import BootError
from alembic_boot.private_names import command_steps, give_each_revision_a_transaction, is_comparing

_ORDER = (
    "env.py has a transaction open, which would end after the lock. Say one_at_a_time() before "
    "context.begin_transaction(), and open none yourself; or use `{}`."
)


@contextmanager
def one_at_a_time(
    context: MigrationContext,
    lock_timeout: Callable[[], float] = lambda: 300,
    app_version: str | None = None,
    traffic_timeout: Callable[[], float] = lambda: 120,
) -> Iterator[None]:
    """Let one process at a time work on the schema, and write the journal.

    For an env.py, around `context.run_migrations()`. If boot itself runs env.py, boot has the lock
    already, and nothing is added. `lock_timeout` gives the seconds to wait for another starter;
    `traffic_timeout` gives the seconds that live traffic may block migrations. Raises
    CommandError, which Alembic prints on a line.
    """
    config = context.config
    is_ours = config is not None and config.attributes.get(RUN_BY_BOOT, False)
    is_looking = context.opts.get("dont_mutate") or is_comparing(context)
    if is_ours or context.as_sql or is_looking or context.script is None:
        yield
        return
    try:
        with _locked(context, lock_timeout(), app_version, traffic_timeout()):
            yield
    except BootError as error:
        raise CommandError(str(error)) from error


@contextmanager
def _locked(
    context: MigrationContext, lock_timeout: float, app_version: str | None, traffic_timeout: float
) -> Iterator[None]:
    # Only here: boot itself runs env.py at every start, and has no use for this.
    from alembic_boot.commands import as_typed
    from alembic_boot.environment.opening import read_history
    from alembic_boot.environment.session import MigrationSession
    from alembic_boot.postgres.urls import parse_database_url
    from alembic_boot.running.locked_run import LockedRun
    from alembic_boot.running.loop import Loop
    from alembic_boot.running.preparation import refuse_autocommit_blocks
    from alembic_boot.running.recorder import recording
    from alembic_boot.running.steps import AlembicStep, Rows
    from alembic_boot.running.takeover import exclusively
    from alembic_boot.state.journal import Journal

    logging.basicConfig(level=logging.INFO, format="%(levelname)-7s %(message)s")
    session = MigrationSession(context)
    if session.is_one_unit or session.connection.in_transaction():
        raise CommandError(_ORDER.format(as_typed("migrate")))
    # The boot does the same: each revision commits together with its row.
    give_each_revision_a_transaction(context)
    journal = Journal(session.version_table())
    session.settle()
    engine_url = session.connection.engine.url
    url = parse_database_url(
        engine_url.render_as_string(hide_password=False), "The URL of env.py's engine"
    )
    script: Any = context.script
    with (
        exclusively(url, journal, lock_timeout) as lock,
        recording(url, journal, read_history(script), app_version) as recorder,
    ):

        def run_migrations(**arguments: Any) -> None:
            Loop(LockedRun(session, lock, recorder, traffic_timeout)).run(steps, arguments)

        def steps(rows: Rows) -> list[AlembicStep]:
            found = [*map(AlembicStep, command_steps(context, rows))]
            moves = tuple(move for step in found for move in step.moves)
            refuse_autocommit_blocks(session, recorder.history, moves)
            return found

        context.run_migrations = run_migrations  # type: ignore[method-assign]
        try:
            yield
        finally:
            lock.on_loss = None
            del context.run_migrations
