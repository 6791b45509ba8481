"""Threads for database work; a request that would wait too long for a thread is refused."""

import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread
from starlette.exceptions import HTTPException

from backend.api.load import Load

Given = ParamSpec("Given")
Result = TypeVar("Result")


class OverloadedError(HTTPException):
    """The service is overloaded. The error is an HTTPException so that FastAPI passes it on."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            503,
            f"The service has more to do than it can: try again in {retry_after} s.",
            {"Retry-After": str(retry_after)},
        )


class Threads:
    """A number of threads, and a queue of at most some seconds' work.

    Answers from the cache and probes need no thread, so they are never refused.
    """

    def __init__(self, at_once: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limiter = CapacityLimiter(at_once)
        self._load = Load(at_once)
        self._clock = clock

    async def run(
        self, function: Callable[Given, Result], *given: Given.args, **named: Given.kwargs
    ) -> Result:
        """Return the result of the function, which runs in a thread. Raises OverloadedError."""
        now = self._clock()
        retry_after = self._load.retry_after(now)
        if retry_after is not None:
            raise OverloadedError(retry_after)
        begun: float | None = None

        def run() -> Result:
            nonlocal begun
            begun = self._clock()
            return function(*given, **named)

        self._load.enter(now)
        try:
            return await to_thread.run_sync(run, limiter=self._limiter)
        finally:
            self._load.leave(self._clock(), begun)
