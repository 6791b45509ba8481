"""Tell clients that the server is shutting down."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

IS_DRAINING = "is_draining"
"""The key of a request's state by which the application sees that the server drains."""

_CLOSE = (b"connection", b"close")

_log = logging.getLogger(__name__)


def closing_while(is_draining: Callable[[], bool], app: Any) -> App:
    """Return the ASGI application with `Connection: close` in its answers while draining.

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
                # HTTP/2 does not have this header.
                if is_draining() and scope["http_version"] < "2":
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
                headers = [(b"content-length", b"0")]
                await send_closing(
                    {"type": "http.response.start", "status": 503, "headers": headers}
                )
                await send_closing({"type": "http.response.body", "body": b""})

    return serve
