"""Waiting in a test until a condition holds."""

import time
from collections.abc import Callable

SOON = 30.0
"""Seconds: enough for a busy machine, and the end of a test that hangs."""


def wait_until(is_so: Callable[[], object], seconds: float = SOON) -> None:
    """Return when the condition holds; fail if it does not within these seconds."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)
