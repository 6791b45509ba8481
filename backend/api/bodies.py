"""Read one request body completely, or refuse it."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from starlette.types import Receive

from backend.api.big_bodies import NoRoomError, Place
from backend.schemas.parts import MOST_PARTS
from backend.schemas.problems import ProblemType

_LONGEST = 60.0
"""Seconds that a client has to send the whole body, from its first bytes on."""

_LINGER = 2
"""Seconds that a client has to finish sending after a refusal."""

_MOST_BRACKETS = 4 * MOST_PARTS
"""Opening brackets of lists and objects: the largest book has three for each part."""


class BodyRefusedError(Exception):
    """The body is refused before its end; this error holds the answer."""

    def __init__(
        self,
        kind: ProblemType,
        status: int,
        detail: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.status = status
        self.detail = detail
        self.headers = headers or {}


class Body:
    """One body of up to `most` bytes; `declared` is its Content-Length, or 0."""

    def __init__(
        self, receive: Receive, declared: int, most: int, longest: float = _LONGEST
    ) -> None:
        self._receive = receive
        self._declared = declared
        self._most = most
        self._longest = longest
        self._received = 0
        self._brackets = 0
        self._is_over = False

    async def read(self, place: Place | None) -> bytes:
        """Return the whole body, held in its place; without a place, discard the body.

        Raises BodyRefusedError if the body is too large, comes too slowly, or has no room.
        """
        if self._declared > self._most:
            raise _too_large(f"{self._most} bytes")
        whole = await self._next(place)
        if not self._is_over:
            whole = await self._rest(whole, place)
        if place is not None:
            try:
                place.work(whole)
            except NoRoomError as error:
                raise _no_room() from error
        return whole

    async def pass_over(self) -> None:
        """Return when the client has sent everything, or its time is over."""
        with suppress(TimeoutError, BodyRefusedError):
            async with asyncio.timeout(_LINGER):
                while not self._is_over:
                    await self._part()

    async def _rest(self, begin: bytes, place: Place | None) -> bytes:
        # One block: many small parts would take much more than their bytes.
        whole = bytearray(begin)
        try:
            async with asyncio.timeout(self._longest):
                while not self._is_over:
                    whole += await self._next(place)
        except TimeoutError as error:
            detail = f"The body took more than {self._longest:.0f} s. Send it faster."
            raise BodyRefusedError(ProblemType.OTHER, 408, detail) from error
        return bytes(whole)

    async def _next(self, place: Place | None) -> bytes:
        """Return the next part that is held. Raises BodyRefusedError."""
        part = await self._part()
        self._received += len(part)
        if self._received > self._most:
            raise _too_large(f"{self._most} bytes")
        if place is None:
            return b""
        self._brackets += part.count(b"[") + part.count(b"{")
        if self._brackets > _MOST_BRACKETS:
            raise _too_large(f"{_MOST_BRACKETS} brackets")
        try:
            place.grow(part)
        except NoRoomError as error:
            raise _no_room() from error
        return part

    async def _part(self) -> bytes:
        message = await self._receive()
        self._is_over = not message.get("more_body", False)
        if message["type"] == "http.disconnect":
            raise BodyRefusedError(ProblemType.MALFORMED, 400, "The body is incomplete.")
        part: bytes = message.get("body", b"")
        return part


def _too_large(most: str) -> BodyRefusedError:
    detail = f"The body is larger than {most}. Send less at a time."
    return BodyRefusedError(ProblemType.TOO_LARGE, 413, detail)


def _no_room() -> BodyRefusedError:
    detail = "Too many large requests are being processed: try again."
    return BodyRefusedError(ProblemType.UNAVAILABLE, 503, detail, {"Retry-After": "1"})
