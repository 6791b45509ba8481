"""Answer HEAD at every address that has GET: the same answer without its body."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

IS_HEAD = "moriai.is_head"
"""Scope key of a request whose answer is sent without its body; the route need not read it."""


class HeadAsGet:
    """ASGI middleware: a HEAD request is a GET request until its answer begins.

    So each route supports HEAD (RFC 9110, 9.3.2), and the OpenAPI document lists each operation
    once. The log, the metrics and the server see the original method.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; pass the answer to HEAD back without its body."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            if message["type"] == "http.response.start":
                # The server frames the answer by the method in this scope.
                scope["method"] = "HEAD"
            elif message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        scope["method"] = "GET"
        scope[IS_HEAD] = True
        try:
            await self.app(scope, receive, send_without_body)
        finally:
            scope["method"] = "HEAD"
