"""Bring the schema to its target: inspect, decide, apply, verify."""

import logging

from backend.boot.description import BootDescription
from backend.boot.migration.apply import apply
from backend.boot.migration.history import resolve_target
from backend.boot.migration.inspection import Inspection
from backend.boot.migration.plan import Action, decide
from backend.boot.migration.project import open_project
from backend.boot.migration.schema import Schema, open_schema

_log = logging.getLogger(__name__)


def check_history(boot: BootDescription) -> None:
    """Raise what is wrong with the history on disk or with the target; asks no database."""
    project = open_project(boot.alembic_config, boot.migration_database_url)
    resolve_target(project.history, boot.schema.target, rollback=boot.schema.rollback)


def migrate(boot: BootDescription) -> Inspection:
    """Bring the schema to its target and return the state reached.

    Raises the refusal that the state calls for, or MigrationFailedError.
    """
    _log.info("Running database migrations...")
    project = open_project(boot.alembic_config, boot.migration_database_url)
    schema = open_schema(boot.migration_database_url, project, boot.schema)
    inspection = schema.inspect()
    plan = decide(inspection, rollback=boot.schema.rollback)
    if plan.refusal is not None:
        raise plan.refusal
    if plan.action is Action.NOTHING:
        _log.info("Database migrations completed successfully (already up to date)")
        _log_revision(inspection)
        return inspection
    inspection = apply(schema, plan)
    _log.info("Database migrations completed successfully")
    _log_revision(inspection)
    _log_tables(schema)
    return inspection


def _log_revision(inspection: Inspection) -> None:
    is_head = inspection.current == inspection.heads
    revision = ", ".join(inspection.current) or "base"
    _log.info("Schema revision: %s%s", revision, " (head)" if is_head else "")


def _log_tables(schema: Schema) -> None:
    _log.info("Tables: %s", ", ".join(schema.tables()) or "none")
