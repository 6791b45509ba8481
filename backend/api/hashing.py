"""Threads that hash or judge passwords, and nothing else.

A hash takes 19 MiB and all of a core. A new password is judged in Python.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import TypeVar

from backend.services.errors import BusyError

Result = TypeVar("Result")

_THREADS = 2

_WAITING = 100
"""Passwords that wait for a thread: some seconds' work."""

_RETRY_AFTER = 2
"""Seconds after which there is room again."""


class Hashing:
    """Few threads with a short queue before them. Who finds the queue full is sent away."""

    def __init__(self, threads: int = _THREADS, waiting: int = _WAITING) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="hashing")
        self._room = BoundedSemaphore(threads + waiting)

    async def run(self, work: Callable[..., Result], *arguments: object) -> Result:
        """Return what the work returns. Raises BusyError if the queue is full."""
        if not self._room.acquire(blocking=False):
            raise BusyError("Many people sign in at this moment. Try again.", _RETRY_AFTER)
        future = self._pool.submit(work, *arguments)
        future.add_done_callback(lambda _: self._room.release())
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """End the threads after what they do now; nothing that waits is done any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
