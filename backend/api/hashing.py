"""Threads that only hash or rate passwords.

A hash takes 19 MiB and a whole core. Python code rates a new password.
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
"""Passwords that may wait for a thread: a few seconds' work."""

_RETRY_AFTER = 2
"""Seconds after which the queue has room again."""


class Hashing:
    """A few threads with a short queue. If the queue is full, the request is refused."""

    def __init__(self, threads: int = _THREADS, waiting: int = _WAITING) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="hashing")
        self._room = BoundedSemaphore(threads + waiting)

    async def run(self, work: Callable[..., Result], *arguments: object) -> Result:
        """Return the result of the work. Raises BusyError if the queue is full."""
        if not self._room.acquire(blocking=False):
            raise BusyError("Many people sign in at this moment. Try again.", _RETRY_AFTER)
        future = self._pool.submit(work, *arguments)
        future.add_done_callback(lambda _: self._room.release())
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """End the threads after their present work; waiting work is dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)
