"""The answers of the boot server: pure functions from a head of a request to an answer."""

import json
import re
from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from typing import Any

from alembic_boot.masking import mask
from alembic_boot.situation import Situation

GRACE = 60.0
"""Seconds past the limit of a stage after which the boot does not count as alive any more."""

_RETRY_AFTER = "1"
"""Seconds, as HTTP writes them."""

_REQUEST_LINE = re.compile(rb"([A-Z]{1,20}) (\S{1,8192}) HTTP/1\.([01])")
_SCHEME_AND_HOST = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/?]*")
_ACCEPTS_HTML = re.compile(rb"\r?\naccept:[^\r\n]*text/html", re.IGNORECASE)

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


def answer(head: bytes, situation: Situation, now: float, paths: Paths) -> bytes:
    """Return the whole answer to a request, whose head ends with an empty line.

    `now` is the time of the situation's clock. Each answer closes its connection: the application
    is to get the next request.
    """
    line, _, headers = head.partition(b"\n")
    match = _REQUEST_LINE.fullmatch(line.rstrip(b"\r"))
    if match is None:
        return _problem(HTTPStatus.BAD_REQUEST, "This is no request of HTTP/1.1.")
    method = match[1].decode()
    path = _path(match[2])
    reply = _reply(method, path, b"\n" + headers, (situation, now), paths)
    return reply.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if method == "HEAD" else reply


def too_long() -> bytes:
    """Return the answer to a head that is longer than any should be."""
    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    return _problem(status, "The head of the request is too long.")


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


def _reply(
    method: str, path: str, headers: bytes, at: tuple[Situation, float], paths: Paths
) -> bytes:
    if method in ("GET", "HEAD"):
        if path == paths.live:
            return _live(*at)
        if path == paths.ready:
            return _json(HTTPStatus.SERVICE_UNAVAILABLE, facts(*at), retry=True)
        if _ACCEPTS_HTML.search(headers):
            return _page(*at)
    return _problem(HTTPStatus.SERVICE_UNAVAILABLE, f"The service is starting. {sentence(at[0])}")


def _live(situation: Situation, now: float) -> bytes:
    if situation.is_overdue(now, GRACE):
        detail = f"The stage {situation.stage} takes longer than its own limit."
        return _problem(HTTPStatus.SERVICE_UNAVAILABLE, detail)
    return _json(HTTPStatus.OK, {"status": "ok"})


def _path(target: bytes) -> str:
    """Return the path of a request's target, which a proxy may write with its scheme and host."""
    text = _SCHEME_AND_HOST.sub("", target.decode("latin-1"))
    return text.partition("?")[0] or "/"


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
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Connection": "close",
    }
    if retry:
        headers["Retry-After"] = _RETRY_AFTER
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _masked(text: str | None) -> str | None:
    return text if text is None else mask(text)
