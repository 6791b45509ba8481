"""Bodies have a greatest size: a larger one is refused, and the connection closed in order."""

import asyncio
from contextlib import suppress
from typing import NoReturn

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.api.big_bodies import NoRoomError, Place, Room
from backend.api.problems import answer
from backend.schemas.parts import MOST_PARTS
from backend.schemas.problems import ProblemType

_READ_BY_ROUTES = frozenset({"POST", "PUT", "PATCH"})
"""The methods whose bodies endpoints read, if there are any."""

_LINGER = 2
"""Seconds that a client has to finish sending what is not read any more."""


_MOST_BRACKETS = 4 * MOST_PARTS
"""Brackets that begin a list or an object: of the largest book, they are three for each part."""


class BodyTooLargeError(HTTPException):
    """The body is too large to be read. It is an HTTPException for FastAPI to pass it on."""

    def __init__(self, most: str) -> None:
        super().__init__(413, f"The body is larger than {most}. Send less at a time.")


class BodyLimit:
    """ASGI middleware: raises if an endpoint reads more than is allowed.

    A body that no endpoint reads is read here, before anything is done that could not be refused
    then. A length that is declared is believed at once, what comes in chunks is counted. Big bodies
    are few at once. FastAPI has a limit of its own, but its size has to be known before the
    settings are read, and it answers with plain text.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._room = Room()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, its body up to what is allowed."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        most: int = scope["app"].state.resources.max_body_bytes
        is_read = scope["method"] in _READ_BY_ROUTES
        place = Place(self._room)
        body = _Body(receive, _declared(scope), most, place)

        async def send_and_close(message: Message) -> None:
            # The work is done: a slow reader of the answer keeps no place from others.
            place.leave()
            if not body.is_refused:
                await send(message)
            elif message["type"] == "http.response.start":
                close = (b"connection", b"close")
                await send({**message, "headers": [*message.get("headers", ()), close]})
            else:
                # To close with something unread would reset the connection, and take the answer
                # away from a client that is still sending.
                await send({**message, "more_body": True})
                await body.pass_over()
                await send({"type": "http.response.body"})

        if not is_read:
            try:
                await body.read_over()
            except BodyTooLargeError as error:
                refusal = answer(ProblemType.TOO_LARGE, error.status_code, error.detail)
                await refusal(scope, receive, send_and_close)
                return
        try:
            await self.app(scope, body.receive, send_and_close)
        finally:
            place.leave()


class _Body:
    """One body, as it is received."""

    def __init__(self, receive: Receive, declared: int, most: int, place: Place) -> None:
        self._receive = receive
        self._declared = declared
        self._most = most
        self._place = place
        self._received = 0
        self._brackets = 0
        self._is_over = False
        self.is_refused = False

    async def receive(self) -> Message:
        """Return the next part, for an endpoint that keeps it.

        Raises BodyTooLargeError if that is too much, and NoRoomError if others take the room.
        """
        message = await self._next_allowed()
        part = message.get("body", b"")
        self._brackets += part.count(b"[") + part.count(b"{")
        if self._brackets > _MOST_BRACKETS:
            self._refuse(BodyTooLargeError(f"{_MOST_BRACKETS} brackets"))
        try:
            self._place.grow(len(part))
            if self._is_over:
                self._place.work()
        except NoRoomError as error:
            self._refuse(error)
        return message

    async def read_over(self) -> None:
        """Read all of it, and keep nothing; raise BodyTooLargeError if that is too much."""
        while not self._is_over:
            await self._next_allowed()

    async def pass_over(self) -> None:
        """Return when the client has sent everything, or has had its time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER):
                while not self._is_over:
                    await self._next()

    async def _next_allowed(self) -> Message:
        if self._declared > self._most:
            self._refuse(BodyTooLargeError(f"{self._most} bytes"))
        message = await self._next()
        self._received += len(message.get("body", b""))
        if self._received > self._most:
            self._refuse(BodyTooLargeError(f"{self._most} bytes"))
        return message

    async def _next(self) -> Message:
        message = await self._receive()
        self._is_over = not message.get("more_body", False)
        return message

    def _refuse(self, error: HTTPException) -> NoReturn:
        self.is_refused = True
        raise error


def _declared(scope: Scope) -> int:
    """Return the length that the header has, which the server has checked; 0 without one."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value)
    return 0
