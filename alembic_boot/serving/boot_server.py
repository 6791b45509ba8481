"""The boot server: it answers on the port while the boot is at work and nothing else serves.

It is one thread with an event loop, because the work of the boot blocks the main thread. It never
closes the listening socket. At the handover it stops accepting and answers what it has accepted;
what is in the kernel's queue waits for the application. So no connection is refused or lost.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from alembic_boot.serving.boot_answers import Paths, answer, status_answer, unforeseen
from alembic_boot.serving.open_connections import allow_all_descriptors, most_connections
from alembic_boot.serving.port import prepare_to_listen
from alembic_boot.situation import note, situation

if TYPE_CHECKING:  # their import takes longer than that of the rest, and most starts do without
    from multiprocessing.connection import Connection

    from alembic_boot.serving.boot_clients import Clients
    from alembic_boot.serving.status_answers import StatusAnswers

_BEGIN = 0.3
"""Seconds after the start of the process before which nothing is answered: most boots are done."""

_BACKLOG = 2048
"""Connections that the kernel keeps until they are accepted."""

_MOST = 2048
"""Open connections, if there are descriptors for them."""

_MOST_OF_STATUS = 512
"""Open connections to the status page's own port."""

_TIME_TO_END = 1.0
"""Seconds for all of them when the boot has failed, or is stopped."""

_TIME_FOR_LAST = 0.1
"""Seconds at least for those that come at the very end."""

_TIME_TO_HAND_OVER = 5.0
"""Seconds that another process waits at most until the boot server accepts nothing more."""

_log = logging.getLogger(__name__)


class BootServer:
    """Answers on a bound socket until the application does."""

    begins_after = _BEGIN
    most = _MOST

    def __init__(
        self, listener: socket.socket, paths: Paths, page: "StatusAnswers | None" = None
    ) -> None:
        """With `page`, the status page is there as well."""
        self.listener = listener
        self.paths = paths
        self.page = page
        self._clients: Clients | None = None
        self._look: Callable[[], object] = lambda: None
        self._has_failed = False
        self._ends_at = float("inf")
        self._successor: Connection | None = None
        self._is_over = threading.Event()
        self._has_handed_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="boot-server", daemon=True)

    def start(self) -> None:
        """Begin to answer soon, unless the boot is over by then."""
        self._thread.start()

    def hand_over(self) -> None:
        """Accept no connection any more: after this call, the application does.

        What is accepted is still answered. It may be called more than once.
        """
        self._is_over.set()
        self._wake()
        self._has_handed_over.wait()

    def hand_over_to(self, successor: "Connection") -> None:
        """Hand over as soon as the other end of this pipe asks for it, see `take_over`."""
        self._successor = successor
        if self._has_handed_over.is_set():
            successor.close()
        self._wake()

    def stop(self) -> None:
        """Answer what has come, and return when that is done: within about a second."""
        self._ends_at = time.monotonic() + _TIME_TO_END
        self.hand_over()
        self._thread.join()

    def close(self) -> None:
        """Stop, and close the port: it stays open as long as another process has it."""
        self.stop()
        self.listener.close()

    def _run(self) -> None:
        try:
            if not self._is_over.wait(max(0.0, self.begins_after - _age())) and self._listens():
                import asyncio

                asyncio.run(self._answer_until_over())
        finally:
            self._note_handover()

    def _listens(self) -> bool:
        allow_all_descriptors()
        try:
            prepare_to_listen(self.listener)
            self.listener.listen(_BACKLOG)
        except OSError as error:
            # Another process listens there. The application reports it when it is to listen.
            _log.debug("The boot server cannot listen: %s", error)
            return False
        self.listener.setblocking(False)
        return True

    async def _answer_until_over(self) -> None:
        import asyncio

        from alembic_boot.serving.boot_clients import Clients

        loop, over = asyncio.get_running_loop(), asyncio.Event()
        clients = Clients(self.listener, self._replied, min(self.most, most_connections()))

        def look() -> None:
            """Notice what the other thread has asked for."""
            if self._successor is not None and not self._has_handed_over.is_set():
                loop.add_reader(self._successor, over.set)
            if self._is_over.is_set():
                over.set()
            if self._ends_at < float("inf"):
                loop.call_at(self._ends_at, clients.end_all)

        self._clients = clients
        self._look = partial(loop.call_soon_threadsafe, look)
        look()  # what was asked for before
        clients.accept()
        await over.wait()
        if self._successor is not None:
            loop.remove_reader(self._successor)
        # What comes until the end is answered as well, if no application follows.
        is_last = self._ends_at < float("inf")
        if not is_last:
            clients.stop_accepting()
        self._note_handover()
        with suppress(TimeoutError):
            # Clients that come all the time must not keep the process from its end.
            async with asyncio.timeout_at(self._ends_at if is_last else None):
                await clients.gone()
        if is_last:
            clients.accept_up_to(_BACKLOG)
            clients.stop_accepting()
            loop.call_at(max(self._ends_at, loop.time() + _TIME_FOR_LAST), clients.end_all)
            await clients.gone()

    async def _replied(self, head: bytes) -> bytes:
        """Return an answer in any case: this thread is the only one that answers."""
        try:
            return await self._reply(head)
        except Exception as error:  # noqa: BLE001 (one request must not end the others)
            log = _log.debug if self._has_failed else _log.error
            self._has_failed = True
            log("The boot server could not answer a request: %r", error)
            return unforeseen()

    async def _reply(self, head: bytes) -> bytes:
        return await answer(head, situation(), time.monotonic(), self.paths, self.page)

    def _note_handover(self) -> None:
        if self._ends_at == float("inf"):
            note(is_booting=False)
        self._has_handed_over.set()
        if self._successor is not None:
            self._successor.close()

    def _wake(self) -> None:
        with suppress(RuntimeError):  # it has ended
            self._look()


class StatusServer(BootServer):
    """Answers with the status page alone, from the start on and to the end."""

    begins_after = 0
    most = _MOST_OF_STATUS

    async def _reply(self, head: bytes) -> bytes:
        assert self.page is not None  # noqa: S101 (its only purpose)
        return await status_answer(head, self.page)


@contextmanager
def answering(
    listener: socket.socket,
    paths: Paths = Paths(),  # noqa: B008
    page: "StatusAnswers | None" = None,
) -> Iterator[BootServer]:
    """Answer probes on a bound socket meanwhile, until the application takes over."""
    with _started(BootServer(listener, paths, page)) as server:
        yield server


@contextmanager
def showing_status(listener: socket.socket, page: "StatusAnswers") -> Iterator[None]:
    """Answer with the status page on a bound socket, as long as the block runs."""
    with _started(StatusServer(listener, Paths(), page)):
        yield


@contextmanager
def _started(server: BootServer) -> Iterator[BootServer]:
    server.start()
    try:
        yield server
    finally:
        server.stop()


def take_over(boot_server: "Connection") -> None:
    """Return when the boot server of another process accepts nothing more.

    It closes its end of the pipe then.
    """
    with suppress(OSError):  # it has closed it
        boot_server.send_bytes(b"\0")
    boot_server.poll(_TIME_TO_HAND_OVER)


def _age() -> float:
    """Return the seconds since this process began; infinity where the system does not tell."""
    with suppress(OSError, ValueError, IndexError):
        # The name of the program is in brackets, and may contain anything (proc(5)).
        after_name = Path("/proc/self/stat").read_text("latin-1").rpartition(")")[2].split()
        began = int(after_name[19]) / os.sysconf("SC_CLK_TCK")
        return time.clock_gettime(time.CLOCK_BOOTTIME) - began
    return float("inf")
