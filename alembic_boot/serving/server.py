"""Uvicorn's server, which handles a stop at any time and logs its address."""

import asyncio
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing import parent_process
from multiprocessing.connection import wait
from typing import Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE

from alembic_boot.description import BootDescription
from alembic_boot.serving.accepting import Acceptor
from alembic_boot.serving.connection import Connection
from alembic_boot.serving.middleware import closing_while, failing_briefly, in_pieces
from alembic_boot.serving.model_watch import ModelWatch
from alembic_boot.serving.open_connections import OpenConnections, most_connections
from alembic_boot.serving.started import report_started
from alembic_boot.serving.uvicorn_private_names import stop_signals

_log = logging.getLogger(__name__)

_TICK = 0.1
"""Seconds between two checks for a stop signal while the application starts."""

_LOOK = 1.0
"""Seconds between two checks of all connections."""

_HEADERS = (("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"))
"""Headers of each answer: browsers must not guess its type, nor tell other sites of it."""

_cut_off = logging.getLogger(f"{__name__}.cut_off")
_cut_off.addHandler(logging.NullHandler())
_cut_off.propagate = False


class Config(uvicorn.Config):
    """Uvicorn's configuration; loading it makes a child process end with its parent."""

    drain_delay: float = 0
    """Seconds for which the server accepts requests after SIGTERM, for load balancers to notice."""
    take_over: Callable[[], None] = staticmethod(lambda: None)
    """Called when the application has started, before the first connection is accepted."""
    compared: BootDescription | None = None
    """The boot whose models to compare with the schema while serving; None compares nothing."""

    def __init__(self, app: Any, **options: Any) -> None:
        """Take Uvicorn's options, except the protocols: only our HTTP/1.1 is supported."""
        super().__init__(app, http=Connection, ws="none", headers=list(_HEADERS), **options)

    def load(self) -> None:
        """Load the application, in the process that serves it."""
        if (parent := parent_process()) is not None:
            watcher = threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True)
            watcher.start()
        super().load()


def _end_with(sentinel: int) -> None:
    # A killed supervisor cannot end its children: they would keep the port for ever.
    wait([sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


class Server(uvicorn.Server):
    """Uvicorn's server, which also logs its address for a socket that was passed to it."""

    config: Config
    startup_error: BaseException | None = None
    """The exception of the application's lifespan before it was started."""
    _draining_since: float | None = None
    _model_watch: ModelWatch | None = None
    _connections: OpenConnections | None = None
    _acceptors: tuple[Acceptor, ...] = ()
    _time_limits: asyncio.Task[None] | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle SIGHUP as well, so that a terminal that closes stops the server."""
        with super().capture_signals():
            # Only the main thread may set a handler; Uvicorn checks that as well.
            if threading.current_thread() is not threading.main_thread():
                yield
                return
            if (previous := signal.getsignal(signal.SIGHUP)) is not signal.SIG_IGN:
                signal.signal(signal.SIGHUP, self.handle_exit)
            try:
                yield
            finally:
                signal.signal(signal.SIGHUP, previous)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then listen; a stop signal interrupts the start."""
        app = failing_briefly(self.config.loaded_app, self._is_reported)
        self.config.loaded_app = in_pieces(closing_while(self.is_draining, app))
        starting = asyncio.create_task(self._start(sockets))
        while not starting.done() and not self.should_exit:
            await asyncio.wait([starting], timeout=_TICK)
        if not starting.done():
            # The application's messages about the interruption do not matter.
            self.lifespan.logger = _cut_off
            starting.cancel()
        elif failure := starting.result():
            raise failure

    def is_draining(self) -> bool:
        """Return whether a stop signal came: running requests finish, new ones belong elsewhere."""
        return self.should_exit

    def _is_reported(self, event: str, error: BaseException) -> bool:
        """Keep the exception of the start; return whether `serve` reports it, as in one process."""
        if event != "lifespan.startup.failed" or parent_process() is not None:
            return False
        self.startup_error = error
        return True

    async def on_tick(self, counter: int) -> bool:
        """Return whether it is time to stop listening."""
        if not await super().on_tick(counter):
            return False
        # Ctrl-C comes from a person who waits; so does a second signal.
        if stop_signals(self) != [signal.SIGTERM]:
            return True
        now = time.monotonic()
        if self._draining_since is None:
            self._draining_since = now
            if self.config.drain_delay > 0:
                _log.info("Draining: taking requests for %g s more", self.config.drain_delay)
        return now - self._draining_since >= self.config.drain_delay

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop serving, and then the application in its own order.

        The timeouts of connections hold until all of them are closed. A second Ctrl-C gives the
        requests no time. Uvicorn would also skip the application's shutdown, which then ends in a
        traceback.
        """
        if self._model_watch is not None:
            self._model_watch.stop()
        for acceptor in self._acceptors:
            await acceptor.stop()
        await super().shutdown(sockets)
        if self.force_exit:
            await self.lifespan.shutdown()
        if self._time_limits is not None:
            self._time_limits.cancel()

    def _accept_on(self, sockets: list[socket.socket]) -> None:
        """Listen on these sockets and accept connections. Raises OSError."""
        protocol = partial(
            Connection,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        self._connections = OpenConnections(self.server_state.connections, most_connections())
        room_for = self._connections.room_for
        self._acceptors = tuple(Acceptor(it, protocol, room_for) for it in sockets)
        for acceptor in self._acceptors:
            acceptor.start(self.config.backlog)
        self._time_limits = asyncio.create_task(_hold_to_time_limits(self._connections))

    async def _start(self, sockets: list[socket.socket] | None) -> SystemExit | None:
        """Return the failure: a task that raises SystemExit would end the loop."""
        try:
            # Without a socket, because Uvicorn would let asyncio accept the connections.
            await super().startup([])
            self.config.take_over()
            self._accept_on(sockets or [])
        except OSError as error:
            self.started = False
            # Two processes can bind a port at the same time; only one of them can listen.
            _log.error("The port cannot be listened on: %s", error)
            await self.lifespan.shutdown()
            return SystemExit(STARTUP_FAILURE)
        except SystemExit as failure:
            return failure
        if sockets and self.config.workers == 1:
            report_started(sockets[0])
        if self.config.compared is not None:
            self._model_watch = ModelWatch(self.config.compared)
            self._model_watch.start()
        return None


async def _hold_to_time_limits(connections: OpenConnections) -> None:
    """End overdue connections, once a second, until the task is cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(_LOOK)
        connections.end_overdue(loop.time())
