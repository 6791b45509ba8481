"""Write a log line and record a metric for every request, and give each request an id."""

import logging
import re
import time
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alembic_boot.output.log import begin_request
from backend.api.metrics import Metrics

HEADER = "X-Request-ID"

# These characters may stand in a URN, and cannot break a line of the log.
_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:=+/-]{0,127}")

_LONGEST_METHOD = 16
_LONGEST_PATH = 512
"""Characters of a path that the log shows."""

_log = logging.getLogger(__name__)


class RequestLog:
    """ASGI middleware: gives each request an id, and logs how it ended.

    A valid id in the request is used as it is. The id is in the answer's header, in problems, and
    in every line that the log gets meanwhile.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and the answer back with the id."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _brought(scope) or uuid4().hex
        begin_request(request_id)
        header = (HEADER.lower().encode(), request_id.encode())
        metrics: Metrics = scope["app"].state.resources.metrics
        # If an exception prevents an answer, the server answers with this status.
        status = 500
        is_over = False
        started = time.perf_counter()

        def end() -> None:
            nonlocal is_over
            if not is_over:
                is_over = True
                seconds = time.perf_counter() - started
                route = getattr(scope.get("route"), "path_format", None)
                metrics.observe(scope["method"], route, status, seconds)
                _say(scope, route, status, seconds)

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if is_shed(message):
                    metrics.note_shed()
                message = {**message, "headers": [*message.get("headers", ()), header]}
            elif message["type"] == "http.response.body" and not message.get("more_body"):
                # Before the answer is complete: a client that has the answer finds its line in the
                # log.
                end()
            await send(message)

        try:
            with metrics.in_flight.track_inprogress():
                await self.app(scope, receive, send_with_id)
        finally:
            end()


def is_shed(start: Message) -> bool:
    """Return whether the answer refuses because of overload; only such answers have Retry-After."""
    return start["status"] == 503 and any(
        name.lower() == b"retry-after" for name, _ in start.get("headers", ())
    )


def _say(scope: Scope, route: str | None, status: int, seconds: float) -> None:
    # Probes ask every few seconds, so a success is not logged; a failure is.
    is_routine = route is not None and route.startswith(("/health/", "/metrics")) and status < 400
    fields = {
        "method": scope["method"][:_LONGEST_METHOD],
        "path": _path(scope),
        "status": status,
        "duration_ms": round(seconds * 1000, 1),
    }
    message = "%(method)s %(path)s %(status)d (%(duration_ms)s ms)"
    if user_id := scope.get("state", {}).get("user_id"):
        fields["user_id"] = str(user_id)
        message += " for %(user_id)s"
    _log.log(logging.DEBUG if is_routine else logging.INFO, message, fields, extra=fields)


def _path(scope: Scope) -> str:
    """Return the path as it was sent, without the query, which may contain secrets.

    Not decoded, because a path may contain a line break.
    """
    raw: bytes = scope["raw_path"]
    return raw.decode("ascii", "backslashreplace")[:_LONGEST_PATH]


def _brought(scope: Scope) -> str | None:
    """Return the request's own id; None if it is absent or invalid."""
    for name, value in scope["headers"]:
        if name == HEADER.lower().encode():
            text = value.decode("latin-1")
            return text if _SANE.fullmatch(text) else None
    return None
