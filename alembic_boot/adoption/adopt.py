"""Adopt a database without a revision of this history: find its revision, and record it."""

import logging

from alembic_boot.adoption.history_search import search_history
from alembic_boot.adoption.leftover_databases import remove_leftovers
from alembic_boot.adoption.revision_choice import choose, resolve
from alembic_boot.commands import as_typed
from alembic_boot.description import BootDescription
from alembic_boot.environment.opening import open_project
from alembic_boot.errors import (
    ConfigurationError,
    MigrationFailedError,
    SchemaDivergedError,
    SchemaUnmanagedError,
    some,
)
from alembic_boot.postgres.pooler import naming_pooler
from alembic_boot.running.lock import SchemaLock
from alembic_boot.running.record import record
from alembic_boot.running.takeover import exclusively
from alembic_boot.state.inspection import Inspection, SchemaState
from alembic_boot.state.refusals import is_stamped, refuse_ahead
from alembic_boot.state.schema import Schema, open_schema

_log = logging.getLogger(__name__)

_UNCHANGED = " Nothing was changed."


def adopt(
    boot: BootDescription,
    revision: str | None = None,
    *,
    restamp: bool = False,
    dry_run: bool = False,
) -> None:
    """Record the revision of the schema; `revision` chooses if the schema equals several.

    A database with another recorded revision is changed only with `restamp`. Raises
    SchemaUnmanagedError if the schema equals no revision, or several and none was chosen. Raises
    SchemaDivergedError and SchemaAheadError for a database that has another one recorded. Nothing
    is changed then.
    """
    with naming_pooler(boot.migration_database_url):
        _adopt(boot, revision, restamp=restamp, dry_run=dry_run)


def _adopt(boot: BootDescription, revision: str | None, *, restamp: bool, dry_run: bool) -> None:
    url = boot.migration_database_url
    project = open_project(boot.alembic_config, url, changes_nothing=dry_run)
    schema = open_schema(url, project, boot.schema)
    remove_leftovers(schema.url)
    inspection = schema.inspect()
    disposal = boot.schema.disposal
    if not _is_to_compare(inspection, disposal, restamp=restamp):
        return
    if dry_run or not (restamp or _is_unmanaged(inspection)):
        found = find_revision(boot, schema, revision)
        if not (restamp or _is_unmanaged(inspection)):
            labels = " and ".join(map(schema.label, found))
            command = "adopt --restamp" + (f" --revision {revision}" if revision else "")
            raise SchemaDivergedError(
                f"{_where(inspection)}. Its schema is that of {labels}.",
                f"Record that with `{as_typed(command)}`.{_UNCHANGED}",
            )
        _log.info(
            "The database is as revision %s makes it: that would be recorded%s",
            ", ".join(found),
            _instead_of(inspection),
        )
        return
    with exclusively(schema.url, schema.journal, boot.schema.lock_timeout) as lock:
        if _is_to_compare(schema.inspect(), disposal, restamp=restamp):
            adopt_locked(boot, schema, lock, revision)


def adopt_locked(
    boot: BootDescription, schema: Schema, lock: SchemaLock, revision: str | None = None
) -> None:
    """Do the same while the lock is held, for any recorded revision."""
    before = schema.inspect()
    found = find_revision(boot, schema, revision)
    record(boot, schema, lock, found, before)
    labels = ", ".join(schema.label(it) for it in found)
    _log.info("Adopted the database as revision %s%s", labels, _instead_of(before))


def find_revision(boot: BootDescription, schema: Schema, wanted: str | None) -> tuple[str, ...]:
    """Return the revision that makes the schema as it is, one of each branch.

    `wanted` chooses if the schema equals several. Raises SchemaUnmanagedError, and the refusal of
    the state after that revision is recorded.
    """
    history = schema.project.history
    wanted = resolve(history, wanted)
    inspection = schema.inspect()
    where = _where(inspection)
    try:
        matches = search_history(boot, schema, wanted, where)
    except (ConfigurationError, MigrationFailedError) as error:
        advice = error.advice.removesuffix(_UNCHANGED.strip()).rstrip()
        raise SchemaUnmanagedError(
            f"{where}, and its revision cannot be determined: {error.what}",
            f"{advice}{' Or record' if advice else 'Record'} it yourself with "
            f"`{as_typed('stamp --revision REVISION')}`.{_UNCHANGED}",
        ) from error
    found = choose(matches, history, wanted, is_recorded=not _is_unmanaged(inspection))
    # A revision that would be refused as soon as it is recorded is not recorded either.
    if unrecordable := schema.unrecordable(found, is_run=False):
        raise unrecordable.refusal()
    plan = schema.decide(schema.supposing(schema.inspect(), found))
    if plan.refusal is not None:
        raise plan.refusal
    return found


def _is_unmanaged(inspection: Inspection) -> bool:
    return inspection.state is SchemaState.UNMANAGED


def _is_to_compare(inspection: Inspection, disposal: str | None, *, restamp: bool) -> bool:
    """Return whether the schema has to be compared with the history.

    That is so if nothing is recorded. It is also so if the recorded revision has no place in this
    history, because revisions were squashed, renamed or edited. In development a row that was only
    recorded may be replaced by the revision that it replaced. Raises SchemaAheadError.
    """
    is_diverged = inspection.state is SchemaState.DIVERGED
    # A row is unknown, or is implied by another row.
    has_no_place = inspection.unknown or inspection.is_twofold or inspection.replaced
    if _is_unmanaged(inspection) or (is_diverged and has_no_place):
        return True
    if restamp and inspection.state is SchemaState.AHEAD:
        if disposal is not None and is_stamped(inspection):
            return True
        raise refuse_ahead(inspection, disposal)
    where = ", ".join(inspection.current) or "base"
    _log.info("There is nothing to adopt: the database is %s, at %s", inspection.state, where)
    return False


def _where(inspection: Inspection) -> str:
    if _is_unmanaged(inspection):
        return f"The database has tables ({some(inspection.tables)}) but no revision recorded"
    current = ", ".join(inspection.current)
    if inspection.replaced:
        edited = ", ".join(it.entry.revision for it in inspection.replaced)
        return f"The database is at {current}, and {edited} was edited or moved since"
    return f"The database is at {current}, which has no place in this history"


def _instead_of(inspection: Inspection) -> str:
    return f" instead of {', '.join(inspection.current)}" if inspection.current else ""
