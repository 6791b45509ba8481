"""Several worker processes that serve on one socket, supervised by Uvicorn."""

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from multiprocessing import resource_tracker
from multiprocessing.connection import wait

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess, multiprocess

from alembic_boot.serving.boot_server import BootServer
from alembic_boot.serving.server import Config, Server
from alembic_boot.serving.single_process import not_started
from alembic_boot.serving.started import report_started
from alembic_boot.serving.uvicorn_private_names import work_with
from alembic_boot.signals import STOP_SIGNALS, Stopped

_log = logging.getLogger(__name__)

_TICK = 0.1
"""Seconds between two checks for another signal while the workers end."""


def serve_with_workers(config: Config, port: BootServer) -> None:
    """Serve until a stop signal. Raises ServingFailedError and Stopped as `serve` does."""
    work_with(Worker)
    supervisor = Workers(config, port)
    supervisor.run()
    if supervisor.stopped_early is not None:
        raise supervisor.stopped_early
    # Uvicorn ends without an error even if every worker failed to start.
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise not_started(config)


@contextmanager
def deaf_children() -> Iterator[None]:
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


class Worker(multiprocess.Process):
    """A process that serves with our server instead of Uvicorn's."""

    def start(self) -> None:
        """Start the process."""
        with deaf_children():
            super().start()

    @cached_property
    def server(self) -> Server:
        """Return the server of this process, created in it."""
        return Server(self.config)


class Workers(Multiprocess):
    """Uvicorn's workers; a stop signal does not wait for workers that are still starting."""

    stopped_early: Stopped | None = None
    """The stop signal, if it came before any worker served."""

    def __init__(self, config: uvicorn.Config, port: BootServer) -> None:
        super().__init__(config, [port.listener])
        self._port = port
        self._stops: list[int] = []
        self._serves = False

    def keep_subprocess_alive(self) -> None:
        """Replace workers that have died; log the address once all of them serve."""
        super().keep_subprocess_alive()
        if self._serves or self.should_exit.is_set():
            return
        self._serves = all(process.is_ready() for process in self.processes)
        if self._serves:
            report_started(self._port.listener, len(self.processes))

    def terminate_all(self) -> None:
        """Tell the workers to stop.

        While this process also has the port open, connections are made that no process accepts.
        They would hang until the last worker has ended, but they must be refused.
        """
        self._port.close()
        super().terminate_all()

    def join_all(self) -> None:
        """Wait for the workers to end; an urgent stop skips the delay.

        The rule is that of a single server: only SIGTERM leaves the time to drain.
        """
        while left := [it.process for it in self.processes if it.exitcode is None]:
            wait([it.sentinel for it in left], _TICK)
            while self.signal_queue:
                if (signum := self.signal_queue.pop(0)) in STOP_SIGNALS:
                    self._stops.append(signum)
            if self._stops and self._stops != [signal.SIGTERM]:
                # At every check, because a worker that has not handled the first one yet counts
                # both as one; more of them do no harm.
                for process in left:
                    process.terminate()
        super().join_all()

    def handle_int(self) -> None:
        """End on Ctrl-C."""
        self._stop(signal.SIGINT)

    def handle_term(self) -> None:
        """End on SIGTERM."""
        self._stop(signal.SIGTERM)

    def handle_hup(self) -> None:
        """End when the terminal closes; Uvicorn would restart the workers."""
        self._stop(signal.SIGHUP)

    def _stop(self, signum: signal.Signals) -> None:
        _log.info("Received %s, exiting.", signum.name)
        self.should_exit.set()
        self._stops.append(signum)
        if len(self._stops) > 1:
            return
        starting = [process for process in self.processes if not process.is_ready(1)]
        if starting == self.processes:
            self.stopped_early = Stopped(signum)
        for process in starting:
            # Uvicorn's worker handles a signal only when it has started.
            process.process.kill()
