"""Serve in another process, which is replaced whenever code changes: for development."""

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from uvicorn.supervisors.watchfilesreload import WatchFilesReload
from watchfiles import watch

from alembic_boot.description import BootDescription
from alembic_boot.errors import BootError
from alembic_boot.output.log import configure_logging, report_failure
from alembic_boot.output.masking import hidden, hide_all
from alembic_boot.serving.boot_answers import Paths
from alembic_boot.serving.boot_server import BootServer, answering
from alembic_boot.serving.server import Config
from alembic_boot.serving.single_process import TIME_TO_START, load, serve_here
from alembic_boot.serving.status_answers import StatusAnswers
from alembic_boot.serving.workers import deaf_children
from alembic_boot.signals import stopping_on_signals
from alembic_boot.situation import begin_boot, enter

_LOOK = 50
"""Milliseconds of the first check for changed code, before anything is started."""


def watched_folders(boot: BootDescription) -> list[str]:
    """Return the folders to watch for changes: this one, and that of the revisions."""
    # This imports Alembic, and only a reloader needs it.
    from alembic_boot.environment.opening import open_project
    from alembic_boot.private_names import version_locations

    folders = [Path.cwd()]
    with suppress(BootError):  # which was reported before
        scripts = open_project(boot.alembic_config, boot.migration_database_url).scripts
        folders += [Path(scripts.dir), *map(Path, version_locations(scripts))]
    return [str(it.resolve()) for it in folders if it.is_dir()]


@dataclass(frozen=True)
class Again:
    """Serves in a process of the reloader, after a preparation if there is one."""

    config: Config
    before: Callable[[], None] | None
    paths: Paths
    page: StatusAnswers | None
    log_format: str
    secrets: frozenset[str]

    def __call__(self, sockets: list[socket.socket] | None = None) -> None:
        """Prepare, and serve. A failure is logged; the next change tries again."""
        [listener] = sockets or []
        hide_all(self.secrets)
        configure_logging(str(self.config.log_level), self.log_format)
        try:
            with self._prepared(listener):
                load(self.config)
                serve_here(self.config, [listener])
        except BootError as error:
            report_failure(str(error), self.log_format)
            raise SystemExit(error.exit_status) from None

    @contextmanager
    def _prepared(self, listener: socket.socket) -> Iterator[None]:
        """Run the preparation. From its begin on, the port answers until the application does."""
        if self.before is None:
            yield
            return
        begin_boot()
        with answering(listener, self.paths, self.page) as boot_server:
            self.config.take_over = boot_server.hand_over
            with stopping_on_signals():
                self.before()
            enter("serve", TIME_TO_START)
            yield


class Reloader(WatchFilesReload):
    """Uvicorn's reloader, which alone handles Ctrl-C and misses no change."""

    def __init__(
        self,
        config: Config,
        port: BootServer,
        before: Callable[[], None] | None,
        log_format: str,
    ) -> None:
        """Take the preparation that each reload runs in the new process before it serves."""
        page = port.page and port.page.afresh()
        first = Again(config, None, port.paths, page, log_format, hidden())
        super().__init__(config, first, [port.listener])
        self._port = port
        self._again = replace(first, before=before)

    def startup(self) -> None:
        """Start the process that serves.

        The watch begins first: Uvicorn's own watch begins later, and would miss changes before
        that.
        """
        self.watcher = watch(
            *self.reload_dirs,
            watch_filter=None,
            stop_event=self.should_exit,
            rust_timeout=_LOOK,
            yield_on_timeout=True,
            ignore_permission_denied=True,
        )
        next(self.watcher)
        with deaf_children():
            super().startup()
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self.signal_handler)

    def restart(self) -> None:
        """Start the process that serves again."""
        self.target = self._again
        with deaf_children():
            super().restart()

    def shutdown(self) -> None:
        """Refuse connections, then end the process that serves.

        While this process also has the port open, connections queue up and none is accepted.
        """
        self._port.close()
        super().shutdown()
