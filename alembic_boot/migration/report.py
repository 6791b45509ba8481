"""The log lines after the schema has reached its target."""

import logging

from alembic_boot.state.inspection import Inspection, SchemaState

_log = logging.getLogger(__name__)


def report(inspection: Inspection, *, was_current: bool) -> None:
    """Log that the migrations are complete, and the revision of the schema."""
    if inspection.state is not SchemaState.AHEAD:
        suffix = " (already up to date)" if was_current else ""
        _log.info("Database migrations completed successfully%s", suffix)
    is_head = inspection.current == inspection.heads
    revision = ", ".join(inspection.current) or "base"
    _log.info("Schema revision: %s%s", revision, " (head)" if is_head else "")
