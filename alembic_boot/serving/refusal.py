"""Answers of the server itself, if a request does not reach the application."""

import json
from collections.abc import Iterable
from http import HTTPStatus

NO_REQUEST = "The request did not arrive in time. Send it again, all at once."

_UNREADABLE = "This is not a request of HTTP/1.1. The connection is closed."
_TOO_MUCH_WORK = {
    413: "The body has too many small chunks. Send larger ones, or the length and no chunks.",
    431: "The head of a request may have 16 KiB and 100 headers. Send less.",
}


def why_unreadable(status: int) -> str:
    """Return the detail for a request that the server cannot or will not read."""
    return _TOO_MUCH_WORK.get(status, _UNREADABLE)


def refusal(status: int, detail: str, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return a problem (RFC 9457) as a whole answer, which closes the connection.

    `headers` are those of every answer.
    """
    phrase = HTTPStatus(status).phrase
    problem = {
        "type": "about:blank",
        "title": phrase,
        "status": status,
        "detail": detail,
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
