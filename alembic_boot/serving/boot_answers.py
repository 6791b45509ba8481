"""The answers of the boot server: from a head of a request to an answer."""

import json
import re
from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from alembic_boot.output.masking import mask
from alembic_boot.situation import Situation
from alembic_boot.status_page.requests import (
    AGAIN,
    PAGE,
    Answer,
    Request,
    owns,
    problem,
    redirect,
)

if TYPE_CHECKING:  # most starts are never asked for the page
    from alembic_boot.serving.status_answers import StatusAnswers

GRACE = 60.0
"""Seconds past the limit of a stage after which the boot does not count as alive any more."""

_REQUEST_LINE = re.compile(rb"([A-Z]{1,20}) (\S{1,8192}) HTTP/1\.([01])")
_SCHEME_AND_HOST = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/?]*")

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Connection": "close",
}
"""Headers of each answer."""

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="1">
<title>Starting</title>
<style>
body {{ font: 1.1rem/1.5 system-ui, sans-serif }}
body {{ max-width: 40rem; margin: 15vh auto; padding: 0 1rem }}
dt {{ color: #555 }} dd {{ margin: 0 0 .7rem }}
</style>
<h1>The service is starting</h1>
<dl>{facts}</dl>
<p>This page looks again every second.</p>
</html>
"""


@dataclass(frozen=True)
class Paths:
    """The paths of the probes."""

    live: str = "/health/live"
    ready: str = "/health/ready"


async def answer(
    head: bytes,
    situation: Situation,
    now: float,
    paths: Paths,
    page: "StatusAnswers | None" = None,
) -> bytes:
    """Return the whole answer to a request, whose head ends with an empty line.

    `now` is the time of the situation's clock. Each answer closes its connection: the application
    is to get the next request. `page` answers for the status page; None if it is not shown here.
    """
    request = _request(head)
    if request is None:
        return _no_request()
    if page is not None and owns(request.path):
        found = await page.answer(request)
        if found.status != HTTPStatus.SERVICE_UNAVAILABLE:
            return _written(found, request)
    elif page is not None and request.path == "/" and _is_of_browser(request):
        return _written(redirect(), request)
    return _written(_answer(request, situation, now, paths), request)


async def status_answer(head: bytes, page: "StatusAnswers") -> bytes:
    """Return the whole answer where only the status page is shown."""
    request = _request(head)
    if request is None:
        return _no_request()
    if owns(request.path):
        found = await page.answer(request)
    elif request.path == "/" and request.is_get:
        found = redirect()
    else:
        found = problem(HTTPStatus.NOT_FOUND, detail=f"The status page is at {PAGE}.")
    return _written(found, request)


def too_long() -> bytes:
    """Return the answer to a head that is longer than any should be."""
    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    return _written(problem(status, detail="The head of the request is too long."))


def unforeseen() -> bytes:
    """Return the answer to a request on which the boot server failed."""
    return _written(problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail="This answer failed."))


def facts(situation: Situation, now: float) -> dict[str, Any]:
    """Return what readiness says while the boot is at work."""
    return {
        "status": "booting",
        "stage": situation.stage,
        "revision": situation.revision,
        "done": situation.done,
        "of": situation.of,
        "elapsed": round(situation.elapsed(now), 1),
        "blocked_by": _masked(situation.blocked_by),
        "reason": _masked(situation.reason) or sentence(situation),
    }


def sentence(situation: Situation) -> str:
    """Return in one sentence what the boot does now."""
    if situation.revision is not None:
        number = min(situation.done + 1, situation.of)
        return f"Migration {situation.revision} is running ({number} of {situation.of})."
    return {
        "bind": "The process has just started.",
        "wait": "The boot waits for PostgreSQL.",
        "migrate": "The boot looks at the schema.",
        "lock": "Another starter works on the schema.",
        "seed": "The boot inserts the seed data.",
        "serve": "The application is starting.",
    }.get(situation.stage, "The boot is at work.")


def _request(head: bytes) -> Request | None:
    """Return the request; None if it is malformed."""
    line, *headers = head.split(b"\n")
    match = _REQUEST_LINE.fullmatch(line.rstrip(b"\r"))
    if match is None:
        return None
    # A proxy may write a target with its scheme and host.
    target, _, query = _SCHEME_AND_HOST.sub("", match[2].decode("latin-1")).partition("?")
    named = (it.decode("latin-1").partition(":") for it in headers)
    values = {name.lower(): value.strip() for name, _, value in named}
    return Request(match[1].decode(), unquote(target) or "/", query, values)


def _is_of_browser(request: Request) -> bool:
    return request.is_get and "text/html" in request.headers.get("accept", "").lower()


def _no_request() -> bytes:
    return _written(problem(HTTPStatus.BAD_REQUEST, detail="This is no request of HTTP/1.1."))


def _answer(request: Request, situation: Situation, now: float, paths: Paths) -> Answer:
    if request.is_get:
        if request.path == paths.live:
            return _live(situation, now)
        if request.path == paths.ready:
            return _unavailable("application/json", json.dumps(facts(situation, now)))
        if _is_of_browser(request):
            return _unavailable("text/html; charset=utf-8", _page(facts(situation, now)))
    return _problem(f"The service is starting. {sentence(situation)}")


def _live(situation: Situation, now: float) -> Answer:
    if situation.is_overdue(now, GRACE):
        return _problem(f"The stage {situation.stage} takes longer than its own limit.")
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return Answer(HTTPStatus.OK, headers, b'{"status": "ok"}')


def _page(shown: dict[str, Any]) -> str:
    pairs = ((name, escape(str(value))) for name, value in shown.items() if value is not None)
    return _PAGE.format(facts="".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in pairs))


def _problem(detail: str) -> Answer:
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": AGAIN}, detail)


def _unavailable(kind: str, text: str) -> Answer:
    headers = {"Content-Type": kind, "Cache-Control": "no-store", "Retry-After": AGAIN}
    return Answer(HTTPStatus.SERVICE_UNAVAILABLE, headers, text.encode())


def _written(found: Answer, request: Request | None = None) -> bytes:
    """Return an answer as HTTP has it, without its body if the request is HEAD."""
    headers = {**found.headers, "Content-Length": len(found.body), **_HEADERS}
    lines = [f"HTTP/1.1 {found.status} {found.status.phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    is_head = request is not None and request.method == "HEAD"
    return "\r\n".join([*lines, "", ""]).encode() + (b"" if is_head else found.body)


def _masked(text: str | None) -> str | None:
    return text if text is None else mask(text)
