"""The log lines after the schema has reached its target."""

import logging

from alembic_boot.log_fields import fields
from alembic_boot.state.inspection import Inspection, SchemaState

_log = logging.getLogger(__name__)


def report(inspection: Inspection, *, was_current: bool) -> None:
    """Log that the migrations are complete, and the revision of the schema."""
    revision, state = ", ".join(inspection.current) or "base", inspection.state.value
    if inspection.state is not SchemaState.AHEAD:
        suffix = " (already up to date)" if was_current else ""
        migrated = fields("migrated", revision=revision, state=state)
        _log.info("Database migrations completed successfully%s", suffix, extra=migrated)
    head = " (head)" if inspection.current == inspection.heads else ""
    reached = fields("schema", revision=revision, state=state)
    _log.info("Schema revision: %s%s", revision, head, extra=reached)
