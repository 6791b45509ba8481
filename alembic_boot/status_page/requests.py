"""The addresses of the status page, and its requests and answers as any server has them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from urllib.parse import quote

PAGE, DATA, EVENTS = "/_boot", "/_boot.json", "/_boot/events"

REVISIONS = "/_boot/revisions/"
"""The beginning of the paths of single revisions."""

AGAIN = "1"
"""Seconds after which a client without an answer asks again."""


def page_link(language: str, journal: int = 1) -> str:
    """Return the address of the page in a language, with a page of the journal."""
    return f"{PAGE}?journal={journal}&lang={language}"


def revision_link(id_: str, language: str) -> str:
    """Return the address of a revision's page."""
    return f"{REVISIONS}{quote(id_, safe='')}?lang={language}"


@dataclass(frozen=True)
class Request:
    """The parts of a request that matter here; the names of headers are in lower case."""

    method: str
    path: str
    """Without percent-encoding."""
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_get(self) -> bool:
        """True for GET and HEAD."""
        return self.method in ("GET", "HEAD")


@dataclass(frozen=True)
class Answer:
    """A whole answer. That for a stream of events has the name of the report as its body."""

    status: HTTPStatus
    headers: Mapping[str, str]
    body: bytes


def owns(path: str) -> bool:
    """Return whether a path belongs to the status page."""
    return path in (PAGE, DATA) or path.startswith(f"{PAGE}/")


def redirect() -> Answer:
    """Return the answer that leads to the page."""
    headers = {"Location": PAGE, "Cache-Control": "no-store"}
    return Answer(HTTPStatus.TEMPORARY_REDIRECT, headers, b"")


def not_yet() -> Answer:
    """Return the answer while nothing is collected yet; a browser asks again by itself."""
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": AGAIN, "Refresh": AGAIN})


def problem(
    status: HTTPStatus, headers: Mapping[str, str] | None = None, detail: str | None = None
) -> Answer:
    """Return an answer that tells its status, and a detail if there is one (RFC 9457)."""
    content = {"type": "about:blank", "title": status.phrase, "status": status}
    if detail is not None:
        content["detail"] = detail
    kind = {"Content-Type": "application/problem+json", "Cache-Control": "no-store"}
    return Answer(status, {**kind, **(headers or {})}, json.dumps(content).encode())


def finished(request: Request, drawn: Answer) -> Answer:
    """Return the answer for one client, from that for all; its time does not depend on the page."""
    if request.path == EVENTS and drawn.status == HTTPStatus.OK:
        return replace(drawn, body=events(drawn.body, request.headers.get("last-event-id")))
    return drawn


def events(name: bytes, last: str | None) -> bytes:
    """Return a stream of at most one event: that the report is not the last that was seen.

    Without a last one, the client only gets the name of this report. When the stream ends, the
    browser asks again: so a stream can end at any time, and the next server goes on.
    """
    first = b"id: %s\n\n" % name if last is None else event(name, last.encode())
    return b"retry: 1000\n" + first


def event(name: bytes, last: bytes) -> bytes:
    """Return an event if the name is another one, else a comment that keeps the stream alive."""
    return b": same\n\n" if name == last else b"id: %s\ndata: changed\n\n" % name
