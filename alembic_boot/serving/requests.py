"""Read requests by h11; refuse ambiguous requests, and requests that cost too much work."""

import json
import re
from collections.abc import Iterable
from http import HTTPStatus

import h11

_LONGEST_HEAD = 16 << 10
"""Bytes of a request head, of trailers or of the line before a chunk."""

_MOST_LINES = 100
"""Headers of a request, or trailers. Each costs h11 more than ten microseconds."""

_FREE_CHUNKS = 512
"""Chunks of a body that may have any size. Each costs h11 thirty microseconds."""

_SMALL = 256
"""Average number of bytes that each further chunk must have."""

_END_OF_HEAD = re.compile(rb"\n\r?\n")
"""The end of a head that h11 looks for."""

_UNREADABLE = "This is not a request of HTTP/1.1. The connection is closed."
_DETAILS = {
    408: "The request did not arrive in time. Send it again, all at once.",
    413: "The body has too many small chunks. Send larger ones, or the length and no chunks.",
    431: "The head of a request may have 16 KiB and 100 headers. Send less.",
}


class Requests(h11.Connection):
    """h11's server connection, which notes why a request cannot be read."""

    refused_with: int | None = None
    """The status for an unreadable request; None so far."""

    def __init__(self) -> None:
        super().__init__(h11.SERVER, _LONGEST_HEAD)
        self._chunks = 0
        self._length = 0

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """Return the next event; after an invalid request there is none."""
        if self.refused_with is not None:
            return h11.NEED_DATA
        try:
            if self.their_state is h11.IDLE:
                _require_small_head(self.trailing_data[0])
            event = super().next_event()
            if event is h11.NEED_DATA:
                _require_few_lines(self.trailing_data[0].count(b"\n"))
            elif isinstance(event, h11.Request):
                _require_clear_meaning(event)
                self._chunks = self._length = 0
            elif isinstance(event, h11.Data):
                self._chunks += event.chunk_end
                self._length += len(event.data)
                _require_fair_chunks(self._chunks, self._length)
            elif isinstance(event, h11.EndOfMessage):
                _require_few_lines(len(event.headers))
        except h11.RemoteProtocolError as error:
            self.refused_with = error.error_status_hint
            return h11.NEED_DATA
        return event


def _require_small_head(received: bytes) -> None:
    """Raise an error if a head is too large: h11 limits only an incomplete one."""
    head = _END_OF_HEAD.split(received, maxsplit=1)[0]
    if len(head) > _LONGEST_HEAD:
        raise h11.RemoteProtocolError("A head of too many bytes", 431)
    _require_few_lines(head.count(b"\n"))


def _require_few_lines(count: int) -> None:
    if count > _MOST_LINES:
        raise h11.RemoteProtocolError("Too many headers or trailers", 431)


def _require_fair_chunks(count: int, length: int) -> None:
    if (count - _FREE_CHUNKS) * _SMALL > length:
        raise h11.RemoteProtocolError("Many small chunks", 413)


def _require_clear_meaning(request: h11.Request) -> None:
    """Raise an error for HTTP/2 and others, and for a body with both a length and chunks.

    Of these two, a proxy may use one and h11 the other: then a part of the body is read as a
    request (RFC 9112, 6.1 and 6.3).
    """
    if not request.http_version.startswith(b"1."):
        raise h11.RemoteProtocolError("Another version", 505)
    if {b"content-length", b"transfer-encoding"} <= {name for name, _ in request.headers}:
        raise h11.RemoteProtocolError("Both Content-Length and Transfer-Encoding")


def refusal(status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the server's own answer, a problem (RFC 9457), which closes the connection.

    `headers` are those of every answer.
    """
    phrase = HTTPStatus(status).phrase
    problem = {
        "type": "about:blank",
        "title": phrase,
        "status": status,
        "detail": _DETAILS.get(status, _UNREADABLE),
        "instance": None,  # only the application gives ids to requests
    }
    body = json.dumps(problem).encode()
    lines = [
        f"HTTP/1.1 {status} {phrase}".encode(),
        *(name + b": " + value for name, value in headers),
        b"content-type: application/problem+json",
        b"content-length: %d" % len(body),
        b"connection: close",
    ]
    return b"\r\n".join([*lines, b"", body])
