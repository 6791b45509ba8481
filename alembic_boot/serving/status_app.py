"""The status page of a process that serves, with what its boot has handed over."""

from alembic_boot.description import BootDescription
from alembic_boot.history.history import History
from alembic_boot.serving.handover import handed_over
from alembic_boot.serving.middleware import IS_DRAINING
from alembic_boot.status_page.asgi import Message, StatusApp
from alembic_boot.status_page.collecting import Collecting
from alembic_boot.status_page.collector import Collector


def status_app(boot: BootDescription, service: str) -> StatusApp:
    """Return the application; close its collector at the end. Nothing is read before a request."""

    def by_alembic() -> History:
        from alembic_boot.environment.opening import open_project

        return open_project(boot.alembic_config, boot.migration_database_url).history

    return StatusApp(Collector(Collecting(boot, service, handed_over, by_alembic)), is_draining)


def is_draining(scope: Message) -> bool:
    """Return whether the server of a request is about to stop."""
    return bool(scope.get("state", {}).get(IS_DRAINING, bool)())
