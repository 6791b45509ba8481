"""The lines at the end of a start: where it serves, how long it took, and what it did."""

import logging
import socket
import time

from alembic_boot.output.log_fields import fields
from alembic_boot.serving.handover import last_handed_over

_log = logging.getLogger(__name__)


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
