"""Read requests by h11; refuse ambiguous requests, and requests that cost too much work."""

import re

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

_CONTENT_TOO_LARGE = 413
_HEAD_TOO_LARGE = 431
_VERSION_NOT_SUPPORTED = 505


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
                _require_our_version(event)
                _require_one_length(event)
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
    """Raise h11.RemoteProtocolError if a head is too large, before h11 reads it.

    h11 limits only an incomplete head; a complete one may have any size.
    """
    head = _END_OF_HEAD.split(received, maxsplit=1)[0]
    if len(head) > _LONGEST_HEAD:
        raise h11.RemoteProtocolError("A head of too many bytes", _HEAD_TOO_LARGE)
    _require_few_lines(head.count(b"\n"))


def _require_few_lines(count: int) -> None:
    """Raise h11.RemoteProtocolError for too many headers or trailers."""
    if count > _MOST_LINES:
        raise h11.RemoteProtocolError("Too many headers", _HEAD_TOO_LARGE)


def _require_fair_chunks(count: int, length: int) -> None:
    """Raise h11.RemoteProtocolError for a body of so many bytes in too many chunks."""
    if (count - _FREE_CHUNKS) * _SMALL > length:
        raise h11.RemoteProtocolError("Many small chunks", _CONTENT_TOO_LARGE)


def _require_our_version(request: h11.Request) -> None:
    """Raise h11.RemoteProtocolError for HTTP/2 and others; h11 knows only HTTP/1."""
    if not request.http_version.startswith(b"1."):
        raise h11.RemoteProtocolError("Another version", _VERSION_NOT_SUPPORTED)


def _require_one_length(request: h11.Request) -> None:
    """Raise h11.RemoteProtocolError for a body with both a length and chunks.

    A proxy may use one and h11 the other: then a part of the body is read as a request (RFC 9112,
    6.1 and 6.3).
    """
    names = {name for name, _ in request.headers}
    if b"content-length" in names and b"transfer-encoding" in names:
        raise h11.RemoteProtocolError("Both Content-Length and Transfer-Encoding")
