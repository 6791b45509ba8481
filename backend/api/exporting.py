"""The answer to an export: few at once, each on a thread of its own, and none for ever."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from anyio import CapacityLimiter, to_thread
from fastapi.responses import StreamingResponse
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.types import Receive, Scope, Send

from backend.api.head import IS_HEAD
from backend.api.threads import OverloadedError

AT_ONCE = 2
"""Exports that are sent at once; each has up to 40 MB of a big book meanwhile."""

_LONGEST = 300.0
"""Seconds that an export may take, so that slow readers keep no place from others for ever."""

_RETRY_AFTER = 10
"""Seconds."""

_log = logging.getLogger(__name__)


class Exports:
    """The exports that are being sent. For one event loop: nothing here is thread-safe."""

    def __init__(self, at_once: int = AT_ONCE, longest: float = _LONGEST) -> None:
        self.longest = longest
        self._at_once = at_once
        self._sent = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place for one export. Raises OverloadedError if all are taken."""
        if self._sent >= self._at_once:
            raise OverloadedError(_RETRY_AFTER)
        self._sent += 1
        try:
            yield
        finally:
            self._sent -= 1


class ExportAnswer(StreamingResponse):
    """Sends the parts of an export. If the database fails in the middle, the answer breaks off."""

    def __init__(self, exports: Exports, parts: Iterator[bytes]) -> None:
        super().__init__(
            _in_thread(parts),
            media_type="application/json",
            headers={"Cache-Control": "no-store"},
        )
        self._exports = exports

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer; for HEAD without reading anything. Raises OverloadedError."""
        if scope.get(IS_HEAD):
            start = {"status": self.status_code, "headers": self.raw_headers}
            await send({"type": "http.response.start", **start})
            await send({"type": "http.response.body"})
            return
        with self._exports.place():
            try:
                async with asyncio.timeout(self._exports.longest):
                    await super().__call__(scope, receive, send)
            # Too late for another answer: the server closes the connection.
            except TimeoutError:
                _log.warning("An export took more than %.0f s: broken off", self._exports.longest)
            except (DBAPIError, PoolTimeoutError) as error:
                _log.warning("An export broke off: %s", type(error).__name__)


async def _in_thread(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Give the parts, read in a thread that no other request has, and keep none."""
    thread = CapacityLimiter(1)
    while part := await to_thread.run_sync(next, parts, b"", limiter=thread):
        yield part
        part = b""
