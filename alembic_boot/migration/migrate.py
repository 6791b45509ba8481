"""Bring the schema to its target: inspect, decide, lock, decide again, apply, verify."""

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial

from alembic_boot.adoption.leftover_databases import remove_leftovers
from alembic_boot.commands import as_typed
from alembic_boot.description import BootDescription
from alembic_boot.environment.opening import open_project
from alembic_boot.environment.version_table import VersionTable
from alembic_boot.errors import BootError, LockTimeoutError, SchemaPastError
from alembic_boot.history.history import resolve_target
from alembic_boot.migration.first_run import FirstRun, Located, Steps
from alembic_boot.output.log_fields import fields
from alembic_boot.postgres.pooler import naming_pooler
from alembic_boot.signals import raise_if_stopped
from alembic_boot.state.inspection import Inspection, SchemaState
from alembic_boot.state.journal_making import make_journal_if_absent
from alembic_boot.state.plan import Action, Plan
from alembic_boot.state.schema import Schema, open_schema

_log = logging.getLogger(__name__)

Next = Callable[[Inspection], None]


def check_history(boot: BootDescription, *, imports: bool) -> None:
    """Raise an error if the history on disk or the target is invalid; asks no database.

    With `imports`, every revision up to the target is imported as well.
    """
    project = open_project(boot.alembic_config, boot.migration_database_url)
    target = resolve_target(project.history, boot.schema.target, rollback=boot.schema.rollback)
    if imports:
        project.load(project.history.closure(target.revisions))


def migrate(
    boot: BootDescription,
    then: Next = lambda _inspection: None,
    located: Located = lambda _table: None,
    agreed: Steps | None = None,
    *,
    is_alone: bool = False,
) -> Plan:
    """Bring the schema to its target, call `then` with the state reached, and return the plan.

    `located` gets the version table as soon as env.py has named it. If there is nothing to do, no
    lock is taken. So on a current schema any number of starters do not wait for each other.
    Otherwise the lock is held until `then` returns. If another starter does everything while this
    one waits, this one goes on without the lock; with `is_alone` it waits for the lock. `agreed`
    are the only steps that may run; None allows all that the state requires.

    Raises the refusal for this state, LockTimeoutError or MigrationFailedError. Raises
    SchemaPastError if other steps than the agreed ones are left.
    """
    with naming_pooler(boot.migration_database_url), ExitStack() as held:
        _log.info("Running database migrations...", extra=fields("migrating"))
        first = FirstRun(boot, located, agreed, held)
        first.run()
        inspection, plan = _reach(boot, first, agreed, held, is_alone=is_alone)
        _report(first.schema, inspection, plan)
        then(inspection)
    return plan


def locate_version_table(boot: BootDescription) -> VersionTable:
    """Return the version table of env.py; nothing is changed. Raises BootError."""
    url = boot.migration_database_url
    project = open_project(boot.alembic_config, url, changes_nothing=True)
    return open_schema(url, project, boot.schema).version_table


def _reach(
    boot: BootDescription, first: FirstRun, agreed: Steps | None, held: ExitStack, *, is_alone: bool
) -> tuple[Inspection, Plan]:
    """Do what is left to do after the first run of env.py.

    Return the state that is reached and the plan that led to it. `held` gets the lock.
    """
    schema = first.schema
    inspection, plan = first.seen or _examine(schema)
    if first.reached is not None:
        return first.reached, plan
    if plan.refusal is not None:
        raise plan.refusal
    if plan.action is Action.NOTHING:
        # During the replay another process may have recorded a revision.
        remove_leftovers(schema.url)
        if inspection.current and not inspection.is_journalled:
            make_journal_if_absent(schema.url, schema.journal, schema.location.role)
        return inspection, plan
    # Imported here: a start on a current schema does not need it.
    from alembic_boot.running.lock import NotNeededError
    from alembic_boot.running.takeover import exclusively

    lock = first.lock
    if lock is None:
        is_done = None if is_alone else partial(_is_done, schema)
        wait = exclusively(schema.url, schema.journal, boot.schema.lock_timeout, is_done)
        try:
            lock = held.enter_context(wait)
        except NotNeededError:
            first.seen = None
            return _reach(boot, first, agreed, held, is_alone=is_alone)
    inspection, plan = _examine(schema)
    if plan.action is Action.ADOPT:
        from alembic_boot.adoption.adopt import adopt_locked

        adopt_locked(boot, schema, lock)
        inspection, plan = _examine(schema)
    else:
        remove_leftovers(schema.url)
    if plan.action is not Action.NOTHING:
        if agreed is not None and plan.steps != agreed:
            raise _moved(schema, plan)
        from alembic_boot.running.apply import apply

        inspection = apply(schema, plan, lock, boot.app_version)
    return inspection, plan


def _is_done(schema: Schema) -> bool:
    """Return whether there is nothing to do now, as far as that can be read."""
    with suppress(BootError):
        return schema.decide(schema.inspect()).action is Action.NOTHING
    return False


def _examine(schema: Schema) -> tuple[Inspection, Plan]:
    """Return the state and the plan for it. Raises the plan's refusal.

    A revision may have locked the version table itself: that lock is waited for like any other.
    """
    deadline = time.monotonic() + schema.policy.lock_timeout
    while True:
        try:
            inspection = schema.inspect()
            plan = schema.decide(inspection)
            break
        except LockTimeoutError as busy:
            raise_if_stopped()
            if time.monotonic() >= deadline:
                raise
            _log.info("Waiting: %s", busy.what, extra=fields("waiting", reason=busy.what))
    if plan.refusal is not None:
        raise plan.refusal
    return inspection, plan


def _moved(schema: Schema, plan: Plan) -> SchemaPastError:
    steps = ", ".join(map(schema.project.history.label, plan.steps))
    return SchemaPastError(
        f"The schema has moved since the plan was shown: the steps would be {steps}.",
        f"Look at the new plan: `{as_typed('rollback')}`. Nothing was changed.",
    )


def _report(schema: Schema, inspection: Inspection, plan: Plan) -> None:
    """Log that the migrations are complete, and the revision of the schema."""
    for warning in plan.warnings:
        _log.warning("%s", warning)
    was_current = plan.action is Action.NOTHING
    revision, state = ", ".join(inspection.current) or "base", inspection.state.value
    if inspection.state is not SchemaState.AHEAD:
        suffix = " (already up to date)" if was_current else ""
        migrated = fields("migrated", revision=revision, state=state)
        _log.info("Database migrations completed successfully%s", suffix, extra=migrated)
    head = " (head)" if inspection.current == inspection.heads else ""
    reached = fields("schema", revision=revision, state=state)
    _log.info("Schema revision: %s%s", revision, head, extra=reached)
    if not was_current:
        _log.info("Tables: %s", ", ".join(schema.tables()) or "none")
