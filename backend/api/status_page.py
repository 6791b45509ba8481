"""The status page in development: `/_boot`, and `/` leads there."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from alembic_boot.description import BootDescription
from alembic_boot.history.history import History
from alembic_boot.serving.handover import handed_over
from alembic_boot.serving.middleware import IS_DRAINING
from alembic_boot.status_page.requests import owns, redirect


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
def shown(app: FastAPI, boot: BootDescription) -> Iterator[None]:
    """Have an application show the page meanwhile."""
    from alembic_boot.status_page.asgi import StatusApp
    from alembic_boot.status_page.collecting import Collecting
    from alembic_boot.status_page.collector import Collector

    def by_alembic() -> History:
        from alembic_boot.environment.opening import open_project

        return open_project(boot.alembic_config, boot.migration_database_url).history

    collector = Collector(Collecting(boot, "MoriAI", handed_over, by_alembic))
    is_draining = lambda scope: scope.get("state", {}).get(IS_DRAINING, bool)()  # noqa: E731
    app.state.status_page = StatusApp(collector, is_draining)
    try:
        yield
    finally:
        app.state.status_page = None
        collector.close()
