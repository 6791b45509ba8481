"""The answers of the status page, whatever server sends them: from a request to a whole answer."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from hashlib import sha256
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, unquote

from alembic_boot.status_page.collecting import Key
from alembic_boot.status_page.render import language_of, page, revision_page
from alembic_boot.status_page.report import Report, RevisionDetail
from alembic_boot.status_page.requests import DATA, EVENTS, PAGE, REVISIONS, Answer, Request
from alembic_boot.status_page.runs import MOST_PAGES
from alembic_boot.status_page.style import POLICY

_LONGEST_ID = 200

_LONGEST_QUERY = 1000

_NUMBER = re.compile(r"[1-9]\d{0,5}")

_AGAIN = "1"
"""Seconds after which a client without an answer asks again."""


def key_of(request: Request) -> Key | None:
    """Return what must be collected for a request; None if the answer needs nothing."""
    if not request.is_get:
        return None
    if request.path in (PAGE, DATA, EVENTS):
        number = _asked(request, "journal") or ""
        return min(int(number), MOST_PAGES) if _NUMBER.fullmatch(number) else 1
    if request.path.startswith(REVISIONS):
        return unquote(request.path.removeprefix(REVISIONS))[:_LONGEST_ID]
    return None


def answer(request: Request, found: Report | RevisionDetail | None) -> Answer:
    """Return the answer; `found` is what was collected for its key, and None is 404."""
    if not request.is_get:
        return _problem(HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": "GET, HEAD"})
    language = language_of(request.headers.get("accept-language"), _asked(request, "lang"))
    match found:
        case RevisionDetail():
            return _html(revision_page(found, language))
        case Report() if request.path == DATA:
            return _answer("application/json", as_json(found).encode())
        case Report() if request.path == EVENTS:
            return _answer("text/event-stream", events(found, request.headers.get("last-event-id")))
        case Report():
            return _html(page(found, language))
    return _problem(HTTPStatus.NOT_FOUND)


def not_yet() -> Answer:
    """Return the answer while nothing is collected yet; a browser asks again by itself."""
    return _problem(HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": _AGAIN, "Refresh": _AGAIN})


def as_json(report: Report) -> str:
    """Return the report for programs; the keys are a contract."""
    return json.dumps(asdict(report), default=_plain)


def name_of(report: Report) -> str:
    """Return a name that two reports share if they say the same, but for the time that passes."""
    running = report.running and replace(report.running, elapsed=0, blocked_for=None)
    stages = tuple(replace(it, seconds=None) for it in report.stages)
    same = replace(report, at=datetime.min, elapsed=None, running=running, stages=stages)
    return sha256(as_json(same).encode()).hexdigest()[:16]


def events(report: Report, last: str | None) -> bytes:
    """Return a stream of at most one event: that the report is not the last that was seen.

    Without a last one, the client only gets the name of this report. When the stream ends, the
    browser asks again: so a stream can end at any time, and the next server goes on.
    """
    name = name_of(report)
    return b"retry: 1000\n" + (b"id: %s\n\n" % name.encode() if last is None else event(name, last))


def event(name: str, last: str | None) -> bytes:
    """Return an event if the name is another one, else a comment that keeps the stream alive."""
    return b": same\n\n" if name == last else b"id: %s\ndata: changed\n\n" % name.encode()


def _asked(request: Request, name: str) -> str | None:
    # The length bounds the number of fields as well; a limit of its own would raise ValueError.
    return parse_qs(request.query[:_LONGEST_QUERY]).get(name, [None])[0]


def _html(text: str) -> Answer:
    headers = {"Content-Security-Policy": POLICY}
    return _answer("text/html; charset=utf-8", text.encode(errors="replace"), headers)


def _problem(status: HTTPStatus, headers: Mapping[str, str] | None = None) -> Answer:
    content = {"type": "about:blank", "title": status.phrase, "status": status}
    body = json.dumps(content).encode()
    return _answer("application/problem+json", body, headers, status)


def _answer(
    kind: str,
    body: bytes,
    headers: Mapping[str, str] | None = None,
    status: HTTPStatus = HTTPStatus.OK,
) -> Answer:
    return Answer(
        status, {"Content-Type": kind, "Cache-Control": "no-store", **(headers or {})}, body
    )


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
