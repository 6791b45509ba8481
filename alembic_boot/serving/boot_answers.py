"""The answers of the boot server: pure functions from a head of a request to an answer."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from alembic_boot.masking import mask
from alembic_boot.situation import Situation
from alembic_boot.status_page.requests import (
    PAGE,
    Answer,
    Request,
    finished,
    not_yet,
    owns,
    redirect,
)

if TYPE_CHECKING:  # most starts are never asked for the page
    from concurrent.futures import Future

    from alembic_boot.serving.status_answers import StatusAnswers

GRACE = 60.0
"""Seconds past the limit of a stage after which the boot does not count as alive any more."""

_RETRY_AFTER = "1"
"""Seconds, as HTTP writes them."""

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


@dataclass(frozen=True)
class Later:
    """An answer that another thread makes."""

    made: "Future[Answer]"
    finish: Callable[[], bytes]
    """Returns the answer, or another one if it is not made yet."""


def answer(
    head: bytes,
    situation: Situation,
    now: float,
    paths: Paths,
    page: "StatusAnswers | None" = None,
) -> bytes | Later:
    """Return the whole answer to a request, whose head ends with an empty line.

    `now` is the time of the situation's clock. Each answer closes its connection: the application
    is to get the next request. `page` answers for the status page; None if it is not shown here.
    """
    request = _request(head)
    if request is None:
        return _no_request()
    if page is not None and owns(request.path):
        return _of_page(request, page, lambda: _reply(request, (situation, now), paths))
    if page is not None and request.path == "/" and _is_of_browser(request):
        return _sent(request, redirect())
    return _framed(request, _reply(request, (situation, now), paths))


def status_answer(head: bytes, page: "StatusAnswers") -> bytes | Later:
    """Return the whole answer where only the status page is shown."""
    request = _request(head)
    if request is None:
        return _no_request()
    if owns(request.path):
        return _of_page(request, page, lambda: _whole(not_yet()))
    if request.path == "/" and request.is_get:
        return _sent(request, redirect())
    return _framed(request, _problem(HTTPStatus.NOT_FOUND, f"The status page is at {PAGE}."))


def too_long() -> bytes:
    """Return the answer to a head that is longer than any should be."""
    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    return _problem(status, "The head of the request is too long.")


def unforeseen() -> bytes:
    """Return the answer to a request on which the boot server failed."""
    return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, "This answer failed.")


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
    return _problem(HTTPStatus.BAD_REQUEST, "This is no request of HTTP/1.1.")


def _of_page(
    request: Request, page: "StatusAnswers", instead: Callable[[], bytes]
) -> bytes | Later:
    """Return the answer of the status page, if it is there; `instead` is for the time before."""
    made = page.ask(request)

    def finish() -> bytes:
        found = made.result() if made.done() else not_yet()
        if found.status == HTTPStatus.SERVICE_UNAVAILABLE:
            return _framed(request, instead())
        return _sent(request, finished(request, found))

    return finish() if made.done() else Later(made, finish)


def _sent(request: Request, answer: Answer) -> bytes:
    return _framed(request, _whole(answer))


def _whole(answer: Answer) -> bytes:
    headers = {**answer.headers, "Content-Length": str(len(answer.body)), **_HEADERS}
    return _written(answer.status, headers, answer.body)


def _framed(request: Request, reply: bytes) -> bytes:
    """Return a reply, without its body if the request is HEAD."""
    return reply.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if request.method == "HEAD" else reply


def _reply(request: Request, at: tuple[Situation, float], paths: Paths) -> bytes:
    if request.is_get:
        if request.path == paths.live:
            return _live(*at)
        if request.path == paths.ready:
            return _json(HTTPStatus.SERVICE_UNAVAILABLE, facts(*at), retry=True)
        if _is_of_browser(request):
            return _page(*at)
    return _problem(HTTPStatus.SERVICE_UNAVAILABLE, f"The service is starting. {sentence(at[0])}")


def _live(situation: Situation, now: float) -> bytes:
    if situation.is_overdue(now, GRACE):
        detail = f"The stage {situation.stage} takes longer than its own limit."
        return _problem(HTTPStatus.SERVICE_UNAVAILABLE, detail)
    return _json(HTTPStatus.OK, {"status": "ok"})


def _page(situation: Situation, now: float) -> bytes:
    shown = {name: value for name, value in facts(situation, now).items() if value is not None}
    rows = "".join(f"<dt>{escape(k)}</dt><dd>{escape(str(v))}</dd>" for k, v in shown.items())
    body = _PAGE.format(facts=rows).encode()
    return _response(HTTPStatus.SERVICE_UNAVAILABLE, "text/html; charset=utf-8", body, retry=True)


def _json(status: HTTPStatus, content: dict[str, Any], *, retry: bool = False) -> bytes:
    return _response(status, "application/json", json.dumps(content).encode(), retry=retry)


def _problem(status: HTTPStatus, detail: str) -> bytes:
    content = {"type": "about:blank", "title": status.phrase, "status": status, "detail": detail}
    body = json.dumps(content).encode()
    is_temporary = status == HTTPStatus.SERVICE_UNAVAILABLE
    return _response(status, "application/problem+json", body, retry=is_temporary)


def _response(status: HTTPStatus, kind: str, body: bytes, *, retry: bool) -> bytes:
    headers = {
        "Content-Type": kind,
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
        **_HEADERS,
    }
    if retry:
        headers["Retry-After"] = _RETRY_AFTER
    return _written(status, headers, body)


def _written(status: HTTPStatus, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _masked(text: str | None) -> str | None:
    return text if text is None else mask(text)
