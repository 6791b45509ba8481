"""Say what would be done about the schema, by the very code that decides it; change nothing."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from backend.boot.description import BootDescription
from backend.boot.errors import DatabaseMissingError
from backend.boot.migration.history import resolve_target
from backend.boot.migration.inspection import NO_DATABASE, Inspection, inspect
from backend.boot.migration.plan import Plan, decide
from backend.boot.migration.project import open_project
from backend.boot.migration.schema import open_schema
from backend.boot.postgres.wait import wait_for_database

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Preview:
    """A state, and what would be done about it."""

    inspection: Inspection
    plan: Plan
    labels: Mapping[str, str]

    def as_text(self) -> str:
        """Return both for people, a line for each revision that would run."""
        inspection, plan = self.inspection, self.plan
        lines = [
            f"The schema is {inspection.state}: at {', '.join(inspection.current) or 'base'}, "
            f"and the target is {inspection.target.name}.",
            f"Plan: {plan.action}",
        ]
        return "\n".join(lines + [f"  {self.labels[revision]}" for revision in plan.steps])


def preview(boot: BootDescription) -> Preview:
    """Wait for the database and return its state with the plan. Raises BootError.

    A database that is missing, and would be created, counts as an empty one.
    """
    inspection = _inspect(boot)
    project = open_project(boot.alembic_config, boot.migration_database_url)
    labels = {revision.id: revision.label for revision in project.history.revisions.values()}
    return Preview(inspection, decide(inspection, rollback=boot.schema.rollback), labels)


def _inspect(boot: BootDescription) -> Inspection:
    url, policy = boot.migration_database_url, boot.schema
    try:
        wait_for_database(url, boot.wait_timeout)
    except DatabaseMissingError:
        if not boot.may_create_database:
            raise
        _log.info("Database %s would be created", url.database)
        history = open_project(boot.alembic_config, url).history
        target = resolve_target(history, policy.target, rollback=policy.rollback)
        return inspect(NO_DATABASE, history, target)
    return open_schema(url, open_project(boot.alembic_config, url), policy).inspect()
