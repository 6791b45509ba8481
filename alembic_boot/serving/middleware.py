"""ASGI middleware between our server and any application."""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from alembic_boot.errors import BootError
from alembic_boot.output.foreign import describe

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

IS_DRAINING = "is_draining"
"""The key of a request's state by which the application sees that the server drains."""

PIECE = 16 << 10
"""Bytes that are sent at once. With 2,000 slow readers, that is 32 MB."""

_CLOSE = (b"connection", b"close")
_FAILED = ("lifespan.startup.failed", "lifespan.shutdown.failed")

_log = logging.getLogger(__name__)


def closing_while(is_draining: Callable[[], bool], app: Any) -> App:
    """Return the application with `Connection: close` in its answers while draining.

    Uvicorn closes the connection then in any case: a client without this header would send its next
    request there, and lose it. Uvicorn cancels requests that take too long, which is not a defect:
    if the application sends no answer, they get an empty 503.
    """

    async def serve(scope: Message, receive: Receive, send: Send) -> None:
        has_started = False

        async def send_closing(message: Message) -> None:
            nonlocal has_started
            if message["type"] == "http.response.start":
                has_started = True
                if is_draining():
                    message = {**message, "headers": [*message.get("headers", ()), _CLOSE]}
            await send(message)

        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        scope.setdefault("state", {})[IS_DRAINING] = is_draining
        try:
            await app(scope, receive, send_closing)
        except asyncio.CancelledError:
            if not is_draining():
                raise
            _log.error("A request took too long for a stopping process: it was cancelled")
            if not has_started:
                empty = [(b"content-length", b"0")]
                await send_closing({"type": "http.response.start", "status": 503, "headers": empty})
                await send_closing({"type": "http.response.body", "body": b""})

    return serve


def failing_briefly(app: Any, is_told: Callable[[str, BaseException], bool]) -> App:
    """Return the application whose lifespan fails with one line, or with none, and no traceback.

    `is_told` gets the type of the message and the exception, and returns whether that exception is
    reported elsewhere: then the message is empty. A text that the application itself sends, outside
    of any `except`, stays as it is.
    """

    async def serve(scope: Message, receive: Receive, send: Send) -> None:
        async def send_briefly(message: Message) -> None:
            # Starlette and Litestar send this while they handle the lifespan's exception.
            error = sys.exception()
            if message["type"] in _FAILED and error is not None:
                line = str(error) if isinstance(error, BootError) else describe(error)
                message = {**message, "message": "" if is_told(message["type"], error) else line}
            await send(message)

        await app(scope, receive, send_briefly if scope["type"] == "lifespan" else send)

    return serve


def in_pieces(app: Any) -> App:
    """Return the application; a large message is sent piece by piece as the client reads.

    Uvicorn waits before each message until the last one is sent. asyncio copies the part that the
    system does not accept at once: of a message of 4 MB that would be most of it, for each client.
    """

    async def serve(scope: Message, receive: Receive, send: Send) -> None:
        async def send_in_pieces(message: Message) -> None:
            body = message.get("body", b"")
            if len(body) > PIECE:
                rest = memoryview(body)
                while len(rest) > PIECE:
                    await send({**message, "body": rest[:PIECE], "more_body": True})
                    rest = rest[PIECE:]
                message = {**message, "body": rest}
            await send(message)

        await app(scope, receive, send_in_pieces)

    return serve
