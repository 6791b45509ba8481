"""The answer to an export: few at once, each on its own thread and with a time limit."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from uuid import UUID

from anyio import CapacityLimiter, to_thread
from fastapi.responses import StreamingResponse
from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeoutError
from starlette.types import Receive, Scope, Send

from backend.api.head import IS_HEAD
from backend.api.threads import OverloadedError
from backend.services.errors import BusyError, UnauthenticatedError

AT_ONCE = 2
"""Exports that are sent at once; each may hold 40 MB of a big book."""

_LONGEST = 300.0
"""Seconds that an export may take, so that slow readers cannot hold a place for ever."""

_RETRY_AFTER = 10
"""Seconds."""

_log = logging.getLogger(__name__)


class Exports:
    """The exports that are being sent, for one event loop: not thread-safe."""

    def __init__(self, at_once: int = AT_ONCE, longest: float = _LONGEST) -> None:
        self.longest = longest
        self._at_once = at_once
        self._owners: set[UUID] = set()

    @contextmanager
    def place(self, owner: UUID) -> Iterator[None]:
        """Hold a place for an export of this account.

        Raises OverloadedError if all places are taken, and BusyError if the account has one.
        """
        if owner in self._owners:
            raise BusyError(
                "An export of your account is running: try again when it has ended.", _RETRY_AFTER
            )
        if len(self._owners) >= self._at_once:
            raise OverloadedError(_RETRY_AFTER)
        self._owners.add(owner)
        try:
            yield
        finally:
            self._owners.remove(owner)


class ExportAnswer(StreamingResponse):
    """Sends the parts of an account's export.

    The answer ends early if the database fails in the middle, or the token is revoked.
    """

    def __init__(self, exports: Exports, owner: UUID, parts: Iterator[bytes]) -> None:
        super().__init__(
            _in_thread(parts),
            media_type="application/json",
            headers={"Cache-Control": "no-store"},
        )
        self._exports = exports
        self._owner = owner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer; for HEAD read nothing. Raises as `place` does."""
        if scope.get(IS_HEAD):
            start = {"status": self.status_code, "headers": self.raw_headers}
            await send({"type": "http.response.start", **start})
            await send({"type": "http.response.body"})
            return
        with self._exports.place(self._owner):
            try:
                async with asyncio.timeout(self._exports.longest):
                    await super().__call__(scope, receive, send)
            # Too late for another answer: the server closes the connection.
            except TimeoutError:
                _log.warning("An export was ended: it took more than %.0f s", self._exports.longest)
            except (DBAPIError, PoolTimeoutError, UnauthenticatedError) as error:
                _log.warning("An export was ended: %s", type(error).__name__)


async def _in_thread(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the parts. An extra thread reads them, and no part is kept."""
    thread = CapacityLimiter(1)
    while part := await to_thread.run_sync(next, parts, b"", limiter=thread):
        yield part
        part = b""
