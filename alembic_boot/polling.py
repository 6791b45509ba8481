"""Wait for a condition that nothing announces: ask again and again, within a time limit."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from alembic_boot.signals import raise_if_stopped

T = TypeVar("T")


def _pause(seconds: float) -> None:
    threading.Event().wait(seconds)  # a stop signal ends it, unlike time.sleep


def poll(  # noqa: PLR0913 (all but the first three are for few callers, and for tests)
    until: Callable[[], T],
    timeout: float,
    every: float,
    *,
    say: Callable[[float], None] = lambda _waited: None,
    is_closing: bool = False,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = _pause,
) -> T:
    """Return the first true answer of `until`, or its last answer when the time is over.

    `timeout` and `every` are in seconds; `until` is asked at least once. `say` is called after
    each answer that is not true, with the seconds that were waited so far. Raises Stopped, unless
    `is_closing` says that this is a part of stopping.
    """
    started = clock()
    while not (answer := until()):
        if not is_closing:
            raise_if_stopped()
        waited = clock() - started
        if waited >= timeout:
            break
        say(waited)
        pause(every)
    return answer
