"""Liveness, readiness and the status page as routes of a FastAPI or Starlette application.

The routes are plain ASGI: nothing of the application's own is needed, and no model of pydantic.
"""

import asyncio
import json
import logging
import math
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import psycopg2

from alembic_boot.description import BootDescription
from alembic_boot.errors import BootError
from alembic_boot.output.masking import mask
from alembic_boot.serving.handover import version_table as handed_over_table
from alembic_boot.serving.middleware import Message, Receive, Send
from alembic_boot.serving.readiness import AnswerLog, Probe, ReadinessProbe, SharedProbe
from alembic_boot.serving.readiness_check import ReadinessCheck
from alembic_boot.serving.status_app import is_draining, status_app
from alembic_boot.state.readiness import Readiness
from alembic_boot.status_page.asgi import StatusApp
from alembic_boot.status_page.requests import DATA, PAGE

if TYPE_CHECKING:
    from fastapi import APIRouter

AppRouter: TypeAlias = "APIRouter"

Describe = Callable[[], AbstractContextManager[BootDescription]]
"""Describes the boot, and has the state of Alembic for the block."""

_log = logging.getLogger(__name__)

_DRAINING = "This process is stopping: it finishes what it has."


def make_router(
    describe: Describe, live_path: str, ready_path: str, *, shows_page: bool | None
) -> "AppRouter":
    """Return a router with these routes. Nothing is described or opened before a request.

    The status page is shown, or not; None shows it in an application with `debug=True`.
    """
    from starlette.routing import Route, Router

    try:
        # FastAPI includes routers of its own kind alone.
        from fastapi import APIRouter
    except ImportError:
        router: Any = Router()
    else:
        router = APIRouter()
    probe = LazyProbe(describe)
    router.routes += [
        Route(live_path, _Live(), methods=["GET"], include_in_schema=False),
        Route(ready_path, _Ready(probe), methods=["GET"], include_in_schema=False),
        *(
            Route(path, _Page(describe, probe, shows_page), include_in_schema=False)
            for path in (PAGE, DATA, f"{PAGE}/{{rest:path}}")
        ),
    ]
    return router  # type: ignore[no-any-return]


class _Live:
    """Answers that the process is alive; nothing is checked that a restart could not fix."""

    async def __call__(self, scope: Message, _receive: Receive, send: Send) -> None:
        """Answer a probe."""
        await _send(scope, send, 200, {"status": "ok"})


class _Ready:
    """Answers whether the schema fits this release; the answer may be a second old."""

    def __init__(self, probe: Probe) -> None:
        self._asked = SharedProbe(probe)

    async def __call__(self, scope: Message, _receive: Receive, send: Send) -> None:
        """Answer a probe."""
        if is_draining(scope):
            stopping = Readiness(ready=False, reason=_DRAINING)
            await _send(scope, send, 503, _body(stopping, "draining"))
            return
        found = await self._asked.now()
        await _send(scope, send, 200 if found.ready else 503, _body(found, found.status))


class _Page:
    """The status page, if it is shown."""

    def __init__(self, describe: Describe, probe: Probe, is_shown: bool | None) -> None:
        self._describe = describe
        self._probe = probe
        self._is_shown = is_shown
        self._lock = threading.Lock()
        self._opened: StatusApp | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request."""
        is_shown = scope["app"].debug if self._is_shown is None else self._is_shown
        if not is_shown:
            await _send(scope, send, 404, {"detail": "Not Found"})
            return
        try:
            service = getattr(scope["app"], "title", "The application")
            app = await asyncio.to_thread(self._open, service)
        except BootError as error:
            _log.warning("The status page cannot be shown: %s", mask(str(error)))
            await _send(scope, send, 503, {"detail": error.public})
            return
        await app(scope, receive, send)

    def _open(self, service: str) -> "StatusApp":
        with self._lock:
            if self._opened is None:
                with self._describe() as boot:
                    self._opened = status_app(boot, service, self._probe)
            return self._opened


class LazyProbe:
    """A probe that learns at its first check where the database and its version table are."""

    def __init__(self, describe: Describe) -> None:
        self._describe = describe
        self._lock = threading.Lock()
        self._opened: ReadinessProbe | None = None
        self._failed: tuple[float, Readiness] | None = None
        self._log = AnswerLog()

    def check(self) -> Readiness:
        """Check now; never raises for what is foreseen. The log gets the cause."""
        with self._lock:
            try:
                if self._opened is None:
                    with self._describe() as boot:
                        self._opened = _open(boot, self._log)
            except BootError as error:
                found = Readiness(ready=False, reason=error.public, cause=str(error))
                self._failed = time.monotonic(), found
                # Here, because the logging of the application is its own again.
                self._log.tell(found)
                return found
        return self._opened.check()

    def last(self, within: float = float("inf")) -> Readiness | None:
        """Return the last result, if it is at most `within` seconds old."""
        if self._opened is not None:
            return self._opened.last(within)
        when, found = self._failed or (-math.inf, None)
        return found if time.monotonic() - when <= within else None

    def close(self) -> None:
        """Close the connection."""
        if self._opened is not None:
            self._opened.close()


def _open(boot: BootDescription, log: AnswerLog) -> ReadinessProbe:
    table = handed_over_table(boot)
    if table is None:
        from alembic_boot.migration.migrate import locate_version_table

        table = locate_version_table(boot)
    return ReadinessProbe(boot.database_url, ReadinessCheck(boot, table), _lend_nothing, log)


def _lend_nothing() -> NoReturn:
    """Refuse to lend: the pool of the application's requests is not known."""
    raise psycopg2.OperationalError


def _body(found: Readiness, status: str) -> dict[str, Any]:
    body = {
        "status": status,
        "state": found.state,
        "current": list(found.current),
        "target": found.target,
    }
    return {**body, "reason": mask(found.reason)} if found.reason else body


async def _send(scope: Message, send: Send, status: int, body: dict[str, Any]) -> None:
    content = json.dumps(body).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    is_head = scope["method"] == "HEAD"
    await send({"type": "http.response.body", "body": b"" if is_head else content})
