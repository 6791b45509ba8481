"""Show what would be done to the schema, by the code that decides it; change nothing."""

import logging
from dataclasses import dataclass, replace

from alembic_boot.commands import as_typed
from alembic_boot.description import BootDescription, SchemaPolicy
from alembic_boot.environment.opening import open_project
from alembic_boot.environment.project import Project
from alembic_boot.errors import DatabaseMissingError
from alembic_boot.history.history import resolve_target
from alembic_boot.output.stdout import show
from alembic_boot.postgres.wait import wait_for_database
from alembic_boot.state.inspection import NO_DATABASE, Inspection, inspect
from alembic_boot.state.plan import Action, Plan, decide
from alembic_boot.state.schema import Schema, open_schema

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Preview:
    """A state, and the plan for it."""

    inspection: Inspection
    plan: Plan
    project: Project
    schema: Schema | None = None
    """None if there is no database yet."""

    def as_text(self) -> str:
        """Return both for people, with a line for each revision that would run."""
        inspection, plan = self.inspection, self.plan
        lines = [
            f"The schema is {inspection.state.words}: it is at "
            f"{', '.join(inspection.current) or 'base'}, and the target is "
            f"{inspection.target.name}.",
            *plan.warnings,
            f"Plan: {plan.action}",
            *(f"  {self.project.history.label(revision)}" for revision in plan.steps),
        ]
        if plan.action is Action.ADOPT:
            lines.append(f"  `{as_typed('adopt --dry-run')}` says which revision it is")
        return "\n".join(lines)


def preview(boot: BootDescription) -> Preview:
    """Wait for the database and return its state with the plan. Raises BootError.

    A missing database that would be created counts as an empty one.
    """
    found = look(boot)
    if found.schema is None:
        _log.info("Database %s would be created", boot.migration_database_url.database)
    return found


def look(boot: BootDescription) -> Preview:
    """Do the same without a word about a missing database."""
    url, policy = boot.migration_database_url, boot.schema
    is_there = True
    try:
        wait_for_database(url, boot.wait_timeout)
    except DatabaseMissingError:
        if not boot.may_create_database:
            raise
        is_there = False
    project = open_project(boot.alembic_config, url, changes_nothing=True)
    return _on(open_schema(url, project, policy)) if is_there else _without(project, policy)


def show_preview(found: Preview) -> None:
    """Print the state and the plan. Raises the plan's refusal."""
    show(found.as_text())
    if found.plan.refusal is not None:
        raise found.plan.refusal


def preview_again(found: Preview, policy: SchemaPolicy) -> Preview:
    """Return the state with the plan for another target. Raises BootError."""
    if found.schema is None:
        return _without(found.project, policy)
    target = resolve_target(found.project.history, policy.target, rollback=policy.rollback)
    return _on(replace(found.schema, policy=policy, target=target))


def _on(schema: Schema) -> Preview:
    inspection = schema.inspect()
    return Preview(inspection, schema.decide(inspection), schema.project, schema)


def _without(project: Project, policy: SchemaPolicy) -> Preview:
    target = resolve_target(project.history, policy.target, rollback=policy.rollback)
    inspection = inspect(NO_DATABASE, project.history, target)
    return Preview(inspection, decide(inspection, rollback=policy.rollback), project)
