"""Show people a page where programs get a problem in JSON."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.reader.drawing import HEADERS, draw_problem
from backend.reader.words import words_for
from backend.schemas.problems import MEDIA_TYPE

_RETRY_AFTER = "5"
"""Seconds, if the problem does not say them."""


class HtmlProblems:
    """ASGI middleware: at the reader's addresses, answers a browser with HTML instead of a problem.

    The status and the other headers stay. An address that cannot be read (422) becomes a 404,
    because it is the address of no page.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; replace its answer if it is a problem."""
        if scope["type"] != "http" or not _is_for_people(scope):
            await self.app(scope, receive, send)
            return
        is_replaced = False

        async def send_page(message: Message) -> None:
            nonlocal is_replaced
            if message["type"] == "http.response.start":
                is_replaced = Headers(raw=message["headers"]).get("content-type") == MEDIA_TYPE
            if not is_replaced:
                await send(message)
            elif message["type"] == "http.response.start":
                await _send_instead(scope, message, send)

        await self.app(scope, receive, send_page)


def _is_for_people(scope: Scope) -> bool:
    path = scope["path"]
    is_ours = path in ("/", "/read") or path.startswith("/read/")
    return is_ours and "text/html" in Headers(scope=scope).get("accept", "")


async def _send_instead(scope: Scope, start: Message, send: Send) -> None:
    status = 404 if start["status"] == 422 else start["status"]
    headers = MutableHeaders(raw=list(start["headers"]))
    headers.update(HEADERS)
    headers["Cache-Control"] = "no-store"
    if status == 503:
        headers.setdefault("Retry-After", _RETRY_AFTER)
    words = words_for(Headers(scope=scope).get("accept-language", ""))
    body = draw_problem(words, status, headers.get("retry-after", _RETRY_AFTER))
    headers["Content-Type"] = "text/html; charset=utf-8"
    headers["Content-Length"] = str(len(body))
    await send({**start, "status": status, "headers": headers.raw})
    is_head = scope["method"] == "HEAD"
    await send({"type": "http.response.body", "body": b"" if is_head else body})
