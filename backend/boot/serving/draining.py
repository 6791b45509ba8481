"""What clients are told while a server is about to end."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

IS_DRAINING = "is_draining"
"""The key of a request's state under which the application can ask, for its readiness."""

_CLOSE = (b"connection", b"close")


def closing_while(is_draining: Callable[[], bool], app: Any) -> App:
    """Return the ASGI application with `Connection: close` in what it answers while draining.

    Uvicorn closes the connection then in any case: a client that is not told would send its next
    request there, and lose it.
    """

    async def serve(scope: Message, receive: Receive, send: Send) -> None:
        async def send_closing(message: Message) -> None:
            if message["type"] == "http.response.start" and is_draining():
                message = {**message, "headers": [*message.get("headers", ()), _CLOSE]}
            await send(message)

        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        scope.setdefault("state", {})[IS_DRAINING] = is_draining
        # HTTP/2 has no such header.
        await app(scope, receive, send_closing if scope["http_version"] < "2" else send)

    return serve
