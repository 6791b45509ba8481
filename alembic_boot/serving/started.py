"""The lines at the end of a start: where it serves, how long it took, and what it did."""

import logging
import socket
import time

from alembic_boot.output.log_fields import fields
from alembic_boot.serving.handover import last_handed_over
from alembic_boot.state.inspection import SchemaState
from alembic_boot.state.plan import Action, Plan

_log = logging.getLogger(__name__)


def summary(plan: Plan, state: SchemaState, rows: int | None) -> str:
    """Return what a start did, from its plan, the state it reached and the rows it seeded."""
    parts = [_schema(plan, state)]
    if rows:
        parts.append(f"seeded {_counted(rows, 'row')}")
    return ", ".join(parts)


def _schema(plan: Plan, state: SchemaState) -> str:
    match plan.action:
        case Action.UPGRADE:
            return f"applied {_counted(len(plan.steps), 'revision')}"
        case Action.DOWNGRADE:
            return f"reverted {_counted(len(plan.steps), 'revision')}"
        case _:
            return f"schema was {state.value}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def report_started(listener: socket.socket, workers: int = 1) -> None:
    """Log the address; before that, log what the boot did. `inv serve` alone has no boot."""
    facts = last_handed_over()
    if "did" in facts:
        seconds = time.monotonic() - facts["began_at"]
        started = fields("started", seconds=seconds)
        _log.info("Started in %.1f s: %s", seconds, facts["did"], extra=started)
    host, port, *_ = listener.getsockname()
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    if workers == 1:
        _log.info("Serving on %s (Ctrl-C stops it)", url, extra=fields("serving", url=url))
    else:
        serving = fields("serving", url=url, workers=workers)
        _log.info("Serving on %s with %d workers", url, workers, extra=serving)
