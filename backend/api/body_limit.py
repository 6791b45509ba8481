"""Bodies have a greatest size: what is larger is refused, and the connection closed in order."""

import asyncio
from contextlib import suppress

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.api.problems import answer
from backend.schemas.problems import ProblemType

_READ_BY_ROUTES = frozenset({"POST", "PUT", "PATCH"})
"""The methods whose bodies endpoints read, if there are any."""

_LINGER = 2
"""Seconds that a client has to finish sending what is not read any more."""


class BodyTooLargeError(HTTPException):
    """The body is larger than MAX_BODY_BYTES. It is an HTTPException for FastAPI to pass it on."""

    def __init__(self, most: int) -> None:
        super().__init__(413, f"The body is larger than {most} bytes. Send less at a time.")


class BodyLimit:
    """ASGI middleware: raises where an endpoint reads more than is allowed.

    What no endpoint reads is read here, before anything is done that could not be refused then.
    A length that is declared is believed at once, what comes in chunks is counted. FastAPI has a
    limit of its own, but its size has to be known before the settings are read, and it answers
    with plain text.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, its body up to what is allowed."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        most: int = scope["app"].state.resources.max_body_bytes
        body = _Body(receive, _declared(scope), most)

        async def send_and_close(message: Message) -> None:
            if not body.is_too_large:
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

        if scope["method"] not in _READ_BY_ROUTES:
            try:
                await body.read_over()
            except BodyTooLargeError as error:
                refusal = answer(ProblemType.TOO_LARGE, error.status_code, error.detail)
                await refusal(scope, receive, send_and_close)
                return
        await self.app(scope, body.receive, send_and_close)


class _Body:
    """What is received of one body."""

    def __init__(self, receive: Receive, declared: int, most: int) -> None:
        self._receive = receive
        self._declared = declared
        self._most = most
        self._received = 0
        self._is_over = False
        self.is_too_large = False

    async def receive(self) -> Message:
        """Return the next part; raise BodyTooLargeError where that is too much."""
        if self._declared > self._most:
            self._refuse()
        message = await self._next()
        self._received += len(message.get("body", b""))
        if self._received > self._most:
            self._refuse()
        return message

    async def read_over(self) -> None:
        """Read all of it; raise BodyTooLargeError where that is too much."""
        while not self._is_over:
            await self.receive()

    async def pass_over(self) -> None:
        """Return when the client has sent everything, or has had its time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER):
                while not self._is_over:
                    await self._next()

    async def _next(self) -> Message:
        message = await self._receive()
        self._is_over = not message.get("more_body", False)
        return message

    def _refuse(self) -> None:
        self.is_too_large = True
        raise BodyTooLargeError(self._most)


def _declared(scope: Scope) -> int:
    """Return the length that the header has, which the server has checked; 0 without one."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value)
    return 0
