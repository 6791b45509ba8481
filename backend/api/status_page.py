"""The status page in development: `/_boot`, and `/` leads there."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from alembic_boot.description import BootDescription
from alembic_boot.serving.readiness import ReadinessProbe
from alembic_boot.status_page.report import Link
from alembic_boot.status_page.requests import owns, redirect

_LINKS = (Link("Books", "/read"), Link("API", "/docs"))


class StatusPage:
    """ASGI middleware: answers at the paths of the status page while the application shows one.

    Otherwise these paths are like any other that is not there.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on."""
        page = getattr(scope["app"].state, "status_page", None) if "path" in scope else None
        if page is not None and owns(scope["path"]):
            await page(scope, receive, send)
        elif page is not None and scope["path"] == "/" and scope["method"] == "GET":
            found = redirect()
            await Response(found.body, found.status, found.headers)(scope, receive, send)
        else:
            await self.app(scope, receive, send)


@contextmanager
def shown(app: FastAPI, boot: BootDescription, probe: ReadinessProbe) -> Iterator[None]:
    """Have an application show the page meanwhile."""
    from alembic_boot.serving.status_app import status_app

    app.state.status_page = page = status_app(boot, "MoriAI", probe, _LINKS)
    try:
        yield
    finally:
        app.state.status_page = None
        page.collector.close()
