"""The status page of a process that serves, with what its boot has handed over."""

from functools import partial

from alembic_boot.description import BootDescription
from alembic_boot.serving.handover import handed_over
from alembic_boot.serving.middleware import IS_DRAINING
from alembic_boot.serving.readiness import FRESH, Probe
from alembic_boot.state.readiness import Readiness
from alembic_boot.status_page.asgi import Message, StatusApp
from alembic_boot.status_page.collecting import Collecting, Sources
from alembic_boot.status_page.collector import Collector
from alembic_boot.status_page.report import Link
from alembic_boot.status_page.sql import RevisionSql


def status_app(
    boot: BootDescription,
    service: str,
    probe: Probe,
    links: tuple[Link, ...] = (),
) -> StatusApp:
    """Return the application; close its collector at the end. Nothing is read before a request.

    The page is ready if the probe is. `links` lead to the service's own pages.
    """
    sources = Sources(partial(handed_over, boot), partial(_asked, probe), RevisionSql(boot))
    collecting = Collecting(boot, service, sources, links)
    return StatusApp(Collector(collecting, collecting.knows), is_draining)


def _asked(probe: Probe) -> Readiness:
    return probe.last(within=FRESH) or probe.check()


def is_draining(scope: Message) -> bool:
    """Return whether the server of a request is about to stop."""
    return bool(scope.get("state", {}).get(IS_DRAINING, bool)())
