"""The thread that looks at the lock and at live traffic while revisions run.

A lost network can leave one of its queries without an answer. So another thread cuts silent
connections (`postgres/interruption.py`).
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_TICK = 0.02
"""Seconds between two looks while a revision runs."""

_IDLE = 1.0
"""Seconds without a revision after which the thread sleeps until its next regular look."""


class Watcher:
    """Calls the regular look, and during a block also the block's own look."""

    def __init__(self, look: Callable[[], object], interval: float) -> None:
        """Take the regular look, and the seconds between two of them."""
        self._regular = look
        self._interval = interval
        self._lock = threading.Lock()
        self._meanwhile: Callable[[], object] | None = None
        self._is_quick = False
        self._has_ended = False
        self._woken = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Call the regular look while the block runs."""
        thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._has_ended = True
            self._woken.set()
            thread.join()

    @contextmanager
    def meanwhile(self, look: Callable[[], object]) -> Iterator[None]:
        """Call `look` every few milliseconds while the block runs.

        The thread stays awake between two revisions: to wake it takes longer than a small revision.
        """
        with self._lock:
            self._meanwhile = look
            if not self._is_quick:
                self._is_quick = True
                self._woken.set()
        try:
            yield
        finally:
            with self._lock:
                self._meanwhile = None

    def _run(self) -> None:
        looked_at = used_at = time.monotonic()
        while not self._has_ended:
            due_in = looked_at + self._interval - time.monotonic()
            self._woken.wait(max(0.0, min(due_in, _TICK) if self._is_quick else due_in))
            self._woken.clear()
            now = time.monotonic()
            with self._lock:
                if self._meanwhile is not None:
                    used_at = now
                    self._meanwhile()
                elif now - used_at > _IDLE:
                    self._is_quick = False
            if now - looked_at >= self._interval and not self._has_ended:
                self._regular()
                looked_at = time.monotonic()
