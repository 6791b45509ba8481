"""The status page as an ASGI application, for any framework."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from alembic_boot.status_page.answers import CHANGES
from alembic_boot.status_page.collector import Collector
from alembic_boot.status_page.requests import EVENTS, Answer, Request, event, events, not_yet

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_PATIENCE = 10.0
"""Seconds that a client waits for a collection; each part of it has a shorter limit."""

_MOST_STREAMS = 20
"""Streams of events at once. Other clients are refused, and ask again later."""

_LONGEST_STREAM = 15.0
"""Seconds; the browser asks again then. A server that stops waits no longer than this."""

_TICK = 0.5
"""Seconds between two looks of a stream."""

_KEEPALIVE = 5.0
"""Seconds after which a silent stream gets a comment."""


@dataclass
class StatusApp:
    """Answers from one collector. It owns the paths for which `requests.owns` is true."""

    collector: Collector
    is_ending: Callable[[Message], bool] = lambda _scope: False
    """Whether the server of a request is about to stop: then it shows nothing more."""
    _streams: set[object] = field(default_factory=set, init=False)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(
            scope["method"],
            scope["path"],
            scope["query_string"].decode("latin-1"),
            {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
        )
        if self.is_ending(scope):
            # The service is not ready any more; the browser asks again, and finds another one.
            await _send(not_yet(), request, send)
        elif request.path != EVENTS or request.method != "GET":
            await _send(await self.collector.answer(request, _PATIENCE), request, send)
        elif len(self._streams) >= _MOST_STREAMS:
            await _send(not_yet(), request, send)
        else:
            self._streams.add(scope_id := object())
            try:
                await self._stream(request, scope, receive, send)
            finally:
                self._streams.remove(scope_id)

    async def _stream(self, request: Request, scope: Message, receive: Receive, send: Send) -> None:
        """Send an event for each change, until the client goes or the stream is long enough."""
        headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        gone = asyncio.create_task(_gone(receive))
        loop = asyncio.get_running_loop()
        ends_at, said_at = loop.time() + _LONGEST_STREAM, float("-inf")
        seen: bytes | None = None
        try:
            while loop.time() < ends_at and not gone.done() and not self.is_ending(scope):
                drawn = self.collector.latest(CHANGES)
                piece = b": alive\n\n"
                is_news = False
                if drawn is not None and drawn.status == HTTPStatus.OK and drawn.body != seen:
                    last = request.headers.get("last-event-id")
                    piece = events(drawn.body, last) if seen is None else event(drawn.body, seen)
                    seen, is_news = drawn.body, True
                if is_news or loop.time() - said_at > _KEEPALIVE:
                    said_at = loop.time()
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                await asyncio.wait([gone], timeout=_TICK)
        finally:
            gone.cancel()
        await send({"type": "http.response.body", "body": b""})


async def _gone(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(found: Answer, request: Request, send: Send) -> None:
    headers = {**found.headers, "Content-Length": str(len(found.body))}
    written = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    body = b"" if request.method == "HEAD" else found.body
    await send({"type": "http.response.start", "status": found.status, "headers": written})
    await send({"type": "http.response.body", "body": body})
