"""Uvicorn's server, made to hear a stop at any time and to say where it listens."""

import asyncio
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
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
from alembic_boot.serving.crowd import Crowd
from alembic_boot.serving.descriptors import most_connections
from alembic_boot.serving.draining import closing_while
from alembic_boot.serving.lifespan import failing_briefly
from alembic_boot.serving.model_watch import ModelWatch
from alembic_boot.serving.pieces import in_pieces

_log = logging.getLogger(__name__)

_TICK = 0.1
"""Seconds between two looks at whether a stop signal came while the application starts."""

_LOOK = 1.0
"""Seconds from one look at all connections to the next."""

_HEADERS = (("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"))
"""What each answer has: a browser takes it for nothing else, and tells no other site of it."""

_cut_off = logging.getLogger(f"{__name__}.cut_off")
_cut_off.addHandler(logging.NullHandler())
_cut_off.propagate = False


class Config(uvicorn.Config):
    """Uvicorn's configuration; loading it ties a serving process to the one that started it."""

    drain_delay: float = 0
    """Seconds that SIGTERM leaves the server taking requests, for balancers to notice."""
    compared: BootDescription | None = None
    """Whose models to compare with the schema while it serves; None compares nothing."""

    def __init__(self, app: Any, **options: Any) -> None:
        """Take what Uvicorn takes, but for the protocols: HTTP/1.1 is ours, and nothing else is."""
        super().__init__(app, http=Connection, ws="none", headers=list(_HEADERS), **options)

    def load(self) -> None:
        """Load the application, in the process that serves it."""
        if (parent := parent_process()) is not None:
            watcher = threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True)
            watcher.start()
        super().load()


def _end_with(sentinel: int) -> None:
    # A supervisor that was killed ends nobody: its children would keep the port for ever.
    wait([sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


class Server(uvicorn.Server):
    """Uvicorn's server, which says where it listens also when the socket was handed to it."""

    config: Config
    startup_error: BaseException | None = None
    """What the application's lifespan raised before it was started."""
    _draining_since: float | None = None
    _model_watch: ModelWatch | None = None
    _crowd: Crowd | None = None
    _acceptors: tuple[Acceptor, ...] = ()
    _time_limits: asyncio.Task[None] | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Hear SIGHUP as well, where a terminal that closes is to end the serving."""
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
        """Start the application, then listen; a stop signal ends the start where it stands."""
        app = failing_briefly(self.config.loaded_app, self._is_reported)
        self.config.loaded_app = in_pieces(closing_while(self.is_draining, app))
        starting = asyncio.create_task(self._start(sockets))
        while not starting.done() and not self.should_exit:
            await asyncio.wait([starting], timeout=_TICK)
        if not starting.done():
            # What the application says about being cut off is nobody's concern.
            self.lifespan.logger = _cut_off
            starting.cancel()
        elif failure := starting.result():
            raise failure

    def is_draining(self) -> bool:
        """Whether a stop signal was heard: requests are finished, and new ones belong elsewhere."""
        return self.should_exit

    def _is_reported(self, event: str, error: BaseException) -> bool:
        """Keep why the start failed; return whether `serve` says it, as it can in one process."""
        if event != "lifespan.startup.failed" or parent_process() is not None:
            return False
        self.startup_error = error
        return True

    async def on_tick(self, counter: int) -> bool:
        """Return whether it is time to stop listening."""
        if not await super().on_tick(counter):
            return False
        # Ctrl-C comes from somebody who waits; so does a second signal.
        if self._captured_signals != [signal.SIGTERM]:
            return True
        now = time.monotonic()
        if self._draining_since is None:
            self._draining_since = now
            if self.config.drain_delay > 0:
                _log.info("Draining: taking requests for %g s more", self.config.drain_delay)
        return now - self._draining_since >= self.config.drain_delay

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what is served, and then the application in its own order.

        The time limits of connections hold until all of them are closed.
        A second Ctrl-C spares the requests no time. Uvicorn would leave the application's closing
        out as well, which then ends in a traceback.
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
        self._crowd = Crowd(self.server_state.connections, most_connections())
        self._acceptors = tuple(Acceptor(it, protocol, self._crowd.room_for) for it in sockets)
        for acceptor in self._acceptors:
            acceptor.start(self.config.backlog)
        self._time_limits = asyncio.create_task(_hold_to_time_limits(self._crowd))

    async def _start(self, sockets: list[socket.socket] | None) -> SystemExit | None:
        """Return the failure: a task that raises SystemExit ends the loop with it."""
        try:
            # Without a socket, for Uvicorn would have asyncio accept the connections.
            await super().startup([])
            self._accept_on(sockets or [])
        except OSError as error:
            self.started = False
            # Two processes can bind a port side by side; only one of them can listen.
            _log.error("The port cannot be listened on: %s", error)
            await self.lifespan.shutdown()
            return SystemExit(STARTUP_FAILURE)
        except SystemExit as failure:
            return failure
        if sockets and self.config.workers == 1:
            _log.info("Serving on %s (Ctrl-C stops it)", url_of(sockets[0]))
        if self.config.compared is not None:
            self._model_watch = ModelWatch(self.config.compared)
            self._model_watch.start()
        return None


async def _hold_to_time_limits(crowd: Crowd) -> None:
    """End overdue connections, once a second, until the task is cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(_LOOK)
        crowd.end_overdue(loop.time())


def url_of(listener: socket.socket) -> str:
    """Return the URL that a bound socket is reached by."""
    host, port, *_ = listener.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
