"""Requests to the status page and their answers, as any server has them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

PAGE, DATA, EVENTS = "/_boot", "/_boot.json", "/_boot/events"

REVISIONS = "/_boot/revisions/"
"""The beginning of the paths of single revisions."""


@dataclass(frozen=True)
class Request:
    """The parts of a request that matter here; the names of headers are in lower case."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_get(self) -> bool:
        """True for GET and HEAD."""
        return self.method in ("GET", "HEAD")


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

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
