"""The answers of the status page for each kind of server: drawn once, for all clients."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from hashlib import sha256
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from alembic_boot.status_page.render import POLICY, language_of, page, revision_page
from alembic_boot.status_page.report import Found, Key, Report, RevisionDetail
from alembic_boot.status_page.requests import (
    DATA,
    EVENTS,
    PAGE,
    REVISIONS,
    Answer,
    Request,
    problem,
)
from alembic_boot.status_page.runs import MOST_PAGES

_LONGEST_ID = 200

_LONGEST_QUERY = 1000

_NUMBER = re.compile(r"[1-9]\d{0,5}")


@dataclass(frozen=True)
class View:
    """All that an answer depends on, besides the moment."""

    key: Key
    """What must be collected for it."""
    path: str
    language: str = ""


CHANGES = View(1, EVENTS)
"""The name of the first page's report."""


def view_of(request: Request) -> View | None:
    """Return what a request asks for; None if it is `refused`."""
    path = request.path
    if not request.is_get:
        return None
    if path == EVENTS:
        return CHANGES
    if path in (PAGE, DATA):
        number = _asked(request, "journal") or ""
        key: Key = min(int(number), MOST_PAGES) if _NUMBER.fullmatch(number) else 1
    elif path.startswith(REVISIONS) and "\0" not in path:  # PostgreSQL knows no NUL
        key, path = path.removeprefix(REVISIONS)[:_LONGEST_ID], REVISIONS
    else:
        return None
    accepted = request.headers.get("accept-language")
    language = "" if path == DATA else language_of(accepted, _asked(request, "lang"))
    return View(key, path, language)


def refused(request: Request) -> Answer:
    """Return the answer to a request that asks for nothing that can be collected."""
    if request.is_get:
        return problem(HTTPStatus.NOT_FOUND)
    return problem(HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": "GET, HEAD"})


def draw(view: View, found: Found) -> Answer:
    """Return the answer for all who ask; `found` is what was collected, and None is 404."""
    match found:
        case RevisionDetail():
            return _html(revision_page(found, view.language))
        case Report() if view.path == DATA:
            return _answer("application/json", as_json(found))
        case Report() if view.path == EVENTS:
            return _answer("text/event-stream", name_of(found))
        case Report():
            return _html(page(found, view.language))
    return problem(HTTPStatus.NOT_FOUND)


def as_json(report: Report) -> str:
    """Return the report for programs; the keys are a contract."""
    return json.dumps(asdict(report), default=_plain)


def name_of(report: Report) -> str:
    """Return a name that two reports share if they say the same, but for the time that passes."""
    running = report.running and replace(report.running, elapsed=0, blocked_for=None)
    stages = tuple(replace(it, seconds=None) for it in report.stages)
    same = replace(report, at=datetime.min, elapsed=None, running=running, stages=stages)
    return sha256(as_json(same).encode()).hexdigest()[:16]


def _asked(request: Request, name: str) -> str | None:
    # The length bounds the number of fields as well; a limit of its own would raise ValueError.
    return parse_qs(request.query[:_LONGEST_QUERY]).get(name, [None])[0]


def _html(text: str) -> Answer:
    return _answer("text/html; charset=utf-8", text, {"Content-Security-Policy": POLICY})


def _answer(kind: str, text: str, headers: Mapping[str, str] | None = None) -> Answer:
    every = {"Content-Type": kind, "Cache-Control": "no-store", **(headers or {})}
    return Answer(HTTPStatus.OK, every, text.encode(errors="replace"))


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
