"""The line at the end of a start: how long it took, and what it did."""

import logging
import time

from alembic_boot.log_fields import fields
from alembic_boot.serving.handover import last_handed_over

_log = logging.getLogger(__name__)


def report_started() -> None:
    """Log the line if a boot came before; `inv serve` alone has none."""
    facts = last_handed_over()
    if "did" not in facts:
        return
    seconds = time.monotonic() - facts["began_at"]
    _log.info(
        "Started in %.1f s: %s", seconds, facts["did"], extra=fields("started", seconds=seconds)
    )
