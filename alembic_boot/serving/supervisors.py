"""Uvicorn's supervisors, which end in order at any stop."""

import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import resource_tracker
from multiprocessing.connection import wait

import uvicorn
from uvicorn.supervisors import Multiprocess, multiprocess
from uvicorn.supervisors.watchfilesreload import WatchFilesReload
from watchfiles import watch

from alembic_boot.errors import BootError
from alembic_boot.log import configure_logging, report_failure
from alembic_boot.masking import hidden, hide_all
from alembic_boot.serving.server import Config, Server, url_of
from alembic_boot.serving.single_process import load, serve_here
from alembic_boot.signals import STOP_SIGNALS, Stopped, stopping_on_signals

_log = logging.getLogger(__name__)

_LOOK = 50
"""Milliseconds of the first check for changed code, before anything is started."""

_TICK = 0.1
"""Seconds between two checks for another signal while the workers end."""


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Let the processes that start meanwhile ignore Ctrl-C; this process ends them in order.

    A terminal sends Ctrl-C to all of them at once: a process that is still importing would answer
    with a traceback.
    """
    resource_tracker.ensure_running()  # its own start would unblock Ctrl-C
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])


def nothing() -> None:
    """Do nothing; a child process finds this function by its name."""


@dataclass(frozen=True)
class Again:
    """Serves in a process of the reloader, after a preparation."""

    config: Config
    before: Callable[[], None]
    log_format: str
    secrets: frozenset[str]

    def __call__(self, sockets: list[socket.socket] | None = None) -> None:
        """Prepare, and serve. A failure is logged; the next change tries again."""
        hide_all(self.secrets)
        configure_logging(str(self.config.log_level), self.log_format)
        try:
            with stopping_on_signals():
                self.before()
            load(self.config)
            serve_here(self.config, sockets or [])
        except BootError as error:
            report_failure(str(error), self.log_format)
            raise SystemExit(error.exit_status) from None


class Reloader(WatchFilesReload):
    """Uvicorn's reloader, which alone handles Ctrl-C and misses no change."""

    def __init__(
        self,
        config: Config,
        listener: socket.socket,
        before: Callable[[], None],
        log_format: str,
    ) -> None:
        """Take the preparation that each reload runs in the new process before it serves."""
        first = Again(config, nothing, log_format, hidden())
        super().__init__(config, target=first, sockets=[listener])
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
        with _deaf_children():
            super().startup()
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self.signal_handler)

    def restart(self) -> None:
        """Start the process that serves again."""
        self.target = self._again
        with _deaf_children():
            super().restart()

    def shutdown(self) -> None:
        """Refuse connections, then end the process that serves.

        While this process also has the port open, connections queue up and none is accepted.
        """
        for listener in self.sockets:
            listener.close()
        super().shutdown()


class Worker(multiprocess.Process):
    """A process that serves with our server instead of Uvicorn's."""

    @property
    def server(self) -> Server:
        """Return the server of this process, created in it."""
        if not isinstance(self._server, Server):
            self._server = Server(self.config)
        return self._server


# Uvicorn creates the class by its name, and accepts no other.
multiprocess.Process = Worker  # type: ignore[misc]


class Workers(Multiprocess):
    """Uvicorn's workers; a stop signal does not wait for workers that are still starting."""

    stopped_early: Stopped | None = None
    """The stop signal, if it came before any worker served."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket]) -> None:
        super().__init__(config, sockets)
        self._stops: list[int] = []
        self._serves = False

    def init_processes(self) -> None:
        """Start the workers."""
        with _deaf_children():
            super().init_processes()

    def keep_subprocess_alive(self) -> None:
        """Replace workers that have died; log the address once all of them serve."""
        with _deaf_children():
            super().keep_subprocess_alive()
        if self._serves or self.should_exit.is_set():
            return
        if all(process.is_ready() for process in self.processes):
            self._serves = True
            where = url_of(self.sockets[0])
            _log.info("Serving on %s with %d workers", where, len(self.processes))

    def terminate_all(self) -> None:
        """Tell the workers to stop.

        While this process also has the port open, connections are made that no process accepts.
        They would hang until the last worker has ended, but they must be refused.
        """
        for listener in self.sockets:
            listener.close()
        super().terminate_all()

    def join_all(self) -> None:
        """Wait for the workers to end; an urgent stop skips the delay.

        The rule is that of a single server: only SIGTERM leaves the time to drain.
        """
        while left := [it.process for it in self.processes if it.exitcode is None]:
            wait([it.sentinel for it in left], _TICK)
            self._hear_more()
            if self._stops and self._stops != [signal.SIGTERM]:
                # At every check, because a worker that has not handled the first one yet counts
                # both as one; more of them do no harm.
                for process in left:
                    process.terminate()
        super().join_all()

    def handle_int(self) -> None:
        """End on Ctrl-C."""
        self._stop(signal.SIGINT)
        super().handle_int()

    def handle_term(self) -> None:
        """End on SIGTERM."""
        self._stop(signal.SIGTERM)
        super().handle_term()

    def handle_hup(self) -> None:
        """Stop when the terminal closes; Uvicorn would restart the workers."""
        self._stop(signal.SIGHUP)
        super().handle_term()

    def _stop(self, signum: signal.Signals) -> None:
        self._stops.append(signum)
        if len(self._stops) > 1:
            return
        starting = [process for process in self.processes if not process.is_ready(1)]
        if starting == self.processes:
            self.stopped_early = Stopped(signum)
        for process in starting:
            # Uvicorn's worker handles a signal only when it has started.
            process.process.kill()

    def _hear_more(self) -> None:
        while self.signal_queue:
            if (signum := self.signal_queue.pop(0)) in STOP_SIGNALS:
                self._stops.append(signum)
