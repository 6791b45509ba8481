"""Waiting in a test until a condition holds, and not waiting for what is far away."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SOON = 30.0
"""Seconds: enough for a busy machine, and the end of a test that hangs."""

LONG = 2 * SOON
"""Seconds at least of a wait that a test shows to be cut short; the test sets this limit itself."""


def wait_until(is_so: Callable[[], object], seconds: float = SOON) -> None:
    """Return when the condition holds; fail if it does not within these seconds."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@contextmanager
def soon() -> Iterator[None]:
    """Fail if the block waits for `LONG`.

    No test has a shorter limit: a busy machine takes ten times as long as a quiet one. How long
    something takes is measured by the benchmarks.
    """
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    assert took < SOON, took
