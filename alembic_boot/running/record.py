"""Record revisions as they are, without running anything: one transaction, with the journal."""

import logging
from typing import Any

from alembic.runtime.migration import MigrationContext

from alembic_boot.commands import as_typed
from alembic_boot.description import BootDescription
from alembic_boot.environment.failures import way_out
from alembic_boot.environment.opening import open_project
from alembic_boot.environment.session import MigrationSession
from alembic_boot.errors import ConfigurationError, MigrationFailedError
from alembic_boot.history.history import History, resolve_target
from alembic_boot.postgres.pooler import naming_pooler
from alembic_boot.running.lock import SchemaLock
from alembic_boot.running.locked_run import LockedRun
from alembic_boot.running.loop import Loop
from alembic_boot.running.preparation import watch_borrowed_session
from alembic_boot.running.recorder import recording
from alembic_boot.running.steps import Recording, Rows
from alembic_boot.running.takeover import exclusively
from alembic_boot.state.inspection import Inspection, SchemaState
from alembic_boot.state.journal_queries import BASE
from alembic_boot.state.refusals import refuse_ahead
from alembic_boot.state.schema import Schema, open_schema

_log = logging.getLogger(__name__)


def stamp(boot: BootDescription, revision: str) -> None:
    """Record a revision without running or comparing anything.

    `base` records that no table of the database belongs to this history.

    Raises SchemaAheadError if the database is at a newer release's revision, and what record()
    raises.
    """
    with naming_pooler(boot.migration_database_url):
        url = boot.migration_database_url
        project = open_project(boot.alembic_config, url)
        target = resolve_target(project.history, revision, rollback=False)
        if not target.revisions and revision != BASE:
            raise ConfigurationError(
                f"{revision!r} is no revision, so it cannot be recorded.",
                "Name the revision that the database is at. Nothing was changed.",
            )
        schema = open_schema(url, project, boot.schema)
        with exclusively(url, schema.journal, boot.schema.lock_timeout) as lock:
            inspection = schema.inspect()
            if inspection.state is SchemaState.AHEAD:
                raise refuse_ahead(inspection)
            stamped = target.revisions
            rows = rows_after(inspection.current, stamped, project.history) if stamped else ()
            if unrecordable := schema.unrecordable(rows, is_run=False):
                raise unrecordable.refusal()
            record(boot, schema, lock, rows, inspection)
        _log.info("Recorded revision %s", ", ".join(map(schema.label, rows)) or BASE)


def rows_after(
    current: tuple[str, ...], stamped: tuple[str, ...], history: History
) -> tuple[str, ...]:
    """Return the rows of the version table after revisions are recorded.

    A revision replaces its ancestors and its descendants. Other branches stay. A row that the
    history does not have is removed, because its branch is unknown.
    """
    below = history.closure(stamped)
    stay = {
        row
        for row in current
        if row in history.revisions
        and row not in below
        and not history.closure([row]).intersection(stamped)
    }
    return history.in_order(stay.union(history.tips(stamped)))


def record(
    boot: BootDescription,
    schema: Schema,
    lock: SchemaLock,
    revisions: tuple[str, ...],
    before: Inspection,
) -> None:
    """Replace the rows of the version table, while the lock is held.

    The present files count as applied from now on, also files that were edited after they had been
    applied. Raises MigrationFailedError.
    """
    history = schema.project.history
    name = ", ".join(revisions) or BASE
    below = history.closure(revisions)
    unknown = tuple(row for row in before.current if row not in history.revisions)
    former = {it.entry.revision: it.entry.parents for it in before.replaced}
    confirmed = tuple(it for it in former if it in below and it not in revisions)
    # Revisions that the history no longer has stay in the journal below the new rows.
    stands_on = {
        **{it: former[it] for it in former if not set(former[it]) <= set(history.revisions)},
        **(dict.fromkeys(revisions, unknown) if unknown else {}),
    }

    def steps(rows: Rows) -> list[Recording]:
        if rows == revisions != () and not confirmed and not stands_on:
            return []
        return [Recording(revisions, confirmed, stands_on, schema.project.scripts.revision_map)]

    def work(context: MigrationContext, arguments: dict[str, Any]) -> None:
        session, budget = MigrationSession(context), schema.policy.traffic_timeout
        Loop(LockedRun(session, lock, recorder, budget)).run(steps, arguments)

    def failed(error: BaseException) -> MigrationFailedError:
        what = f"Revision {name} could not be recorded: {schema.project.describe(error)}."
        if recorder.is_committing:
            is_kept = f"See by `{as_typed('status')}` whether it was committed."
            return MigrationFailedError(what, f"{is_kept} {way_out(error)}")
        return MigrationFailedError(what, f"Nothing was changed. {way_out(error)}")

    with recording(schema.url, schema.journal, history, boot.app_version) as recorder:
        try:
            schema.project.run(work, failed, watch_borrowed_session)
        finally:
            lock.on_loss = None
    after = schema.inspect()
    if set(after.current) != set(revisions) or after.state is SchemaState.UNMANAGED:
        raise MigrationFailedError(
            f"Revision {name} was recorded, but the database does not have it.",
            "env.py left its transaction uncommitted, or works on another database.",
        )
