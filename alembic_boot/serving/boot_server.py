"""The boot server: it answers on the port while the boot is at work and nothing else serves.

It is one thread with a selector, because the work of the boot blocks the main thread. It never
closes the listening socket. At the handover it stops accepting and answers what it has accepted;
what is in the kernel's queue waits for the application. So no connection is refused or lost.
"""

import logging
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from alembic_boot.serving.boot_answers import Later, Paths, answer, status_answer, unforeseen
from alembic_boot.serving.boot_client import Client
from alembic_boot.serving.open_connections import allow_all_descriptors, most_connections
from alembic_boot.serving.port import prepare_to_listen
from alembic_boot.situation import note, situation

if TYPE_CHECKING:  # its import takes longer than that of the rest, and most starts do without
    from concurrent.futures import Future
    from multiprocessing.connection import Connection

    from alembic_boot.serving.status_answers import StatusAnswers
    from alembic_boot.status_page.requests import Answer

T = TypeVar("T")

_BEGIN = 0.3
"""Seconds after the start of the process before which nothing is answered: most boots are done."""

_BACKLOG = 2048
"""Connections that the kernel keeps until they are accepted."""

_AT_A_TIME = 64
"""Connections accepted before the open ones are looked at again."""

_MOST = 2048
"""Open connections, if there are descriptors for them. Beyond that, the longest silent one ends."""

_MOST_OF_STATUS = 512
"""Open connections to the status page's own port."""

_TIME_TO_END = 1.0
"""Seconds for all of them when the boot has failed, or is stopped."""

_PAUSE = 0.2
"""Seconds without accepting if the system has no resources for a connection."""

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
        self._selector = selectors.DefaultSelector()
        self._clients: dict[socket.socket, Client] = {}
        self._most = 0
        self._has_failed = False
        self._accepts_again_at: float | None = None
        self._ends_at = float("inf")
        self._successor: Connection | None = None
        self._made: set[Future[Answer]] = set()
        self._is_over = threading.Event()
        self._has_handed_over = threading.Event()
        self._woken, self._waker = socket.socketpair()
        self._waker.setblocking(False)
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
                self._answer_until_over()
        finally:
            self._note_handover()
            self._close()

    def _listens(self) -> bool:
        allow_all_descriptors()
        self._most = min(self.most, most_connections())
        try:
            prepare_to_listen(self.listener)
            self.listener.listen(_BACKLOG)
        except OSError as error:
            # Another process listens there. The application reports it when it is to listen.
            _log.debug("The boot server cannot listen: %s", error)
            return False
        self.listener.setblocking(False)
        return True

    def _answer_until_over(self) -> None:
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._selector.register(self.listener, selectors.EVENT_READ)
        while not self._is_over.is_set():
            self._pass()
        # What comes until the end is answered as well, if no application follows.
        is_last = self._ends_at < float("inf")
        if not is_last:
            self._stop_accepting()
        self._note_handover()
        self._answer_all()
        if is_last:
            self._accept(_BACKLOG)
            self._stop_accepting()
            self._answer_all()

    def _answer_all(self) -> None:
        while self._clients and time.monotonic() < self._ends_at:
            self._pass()

    def _pass(self) -> None:
        """Wait for events until the next deadline, and handle them."""
        for key, _ in self._selector.select(self._time_left()):
            if key.fileobj is self._woken:
                self._woken.recv(64)
                self._listen_to_successor()
            elif key.fileobj is self._successor:
                self._is_over.set()
                self._selector.unregister(key.fileobj)
            elif key.fileobj is self.listener:
                self._accept(_AT_A_TIME)
            else:
                self._go_on(key.data)
        now = time.monotonic()
        for client in list(self._clients.values()):
            if client.later is not None and client.is_due(now):
                client.take(self._guarded(client.later.finish))
                self._go_on(client)
        for client in [it for it in self._clients.values() if it.deadline <= now]:
            self._end(client)
        if self._ends_at <= now:
            self._end_all()
        if self._accepts_again_at is not None and self._accepts_again_at <= now:
            self._accepts_again_at = None
            self._selector.register(self.listener, selectors.EVENT_READ)

    def _time_left(self) -> float | None:
        """Return the seconds until the next deadline; None without one."""
        deadlines = [it.deadline for it in self._clients.values()]
        deadlines += [self._ends_at] if self._ends_at < float("inf") else []
        deadlines += [self._accepts_again_at] if self._accepts_again_at is not None else []
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    def _accept(self, most: int) -> None:
        for _ in range(most):
            try:
                connection, _ = self.listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:  # the client has gone meanwhile
                continue
            except OSError as error:
                _log.debug("No connection can be accepted now: %s", error)
                self._stop_accepting()
                self._accepts_again_at = time.monotonic() + _PAUSE
                return
            if len(self._clients) >= self._most:
                self._end(min(self._clients.values(), key=_by_silence))
            client = Client(connection, self._replied)
            self._clients[connection] = client
            self._selector.register(connection, client.events, client)
            self._go_on(client)

    def _replied(self, head: bytes) -> bytes | Later:
        found = self._guarded(partial(self._reply, head))
        if isinstance(found, Later) and found.made not in self._made:  # one call for all
            self._made = {it for it in self._made if not it.done()} | {found.made}
            found.made.add_done_callback(lambda _: self._wake())
        return found

    def _guarded(self, make: Callable[[], T]) -> T | bytes:
        """Return an answer in any case: this thread is the only one that answers."""
        try:
            return make()
        except Exception as error:  # noqa: BLE001 (one request must not end the others)
            log = _log.debug if self._has_failed else _log.error
            self._has_failed = True
            log("The boot server could not answer a request: %r", error)
            return unforeseen()

    def _reply(self, head: bytes) -> bytes | Later:
        return answer(head, situation(), time.monotonic(), self.paths, self.page)

    def _go_on(self, client: Client) -> None:
        if client.connection not in self._clients:  # ended in the same pass
            return
        if client.go_on():
            self._selector.modify(client.connection, client.events, client)
        else:
            self._end(client)

    def _end(self, client: Client) -> None:
        self._selector.unregister(client.connection)
        del self._clients[client.connection]
        client.connection.close()

    def _end_all(self) -> None:
        for client in list(self._clients.values()):
            self._end(client)

    def _stop_accepting(self) -> None:
        self._accepts_again_at = None
        if self.listener in self._selector.get_map():
            self._selector.unregister(self.listener)

    def _listen_to_successor(self) -> None:
        successor = self._successor
        if successor and not self._is_over.is_set() and successor not in self._selector.get_map():
            self._selector.register(successor, selectors.EVENT_READ)

    def _note_handover(self) -> None:
        if self._ends_at == float("inf"):
            note(is_booting=False)
        self._has_handed_over.set()
        if self._successor is not None:
            self._successor.close()

    def _wake(self) -> None:
        with suppress(OSError):  # it has ended, or is woken many times already
            self._waker.send(b"\0")

    def _close(self) -> None:
        self._end_all()
        self._selector.close()
        self._woken.close()
        self._waker.close()


class StatusServer(BootServer):
    """Answers with the status page alone, from the start on and to the end."""

    begins_after = 0
    most = _MOST_OF_STATUS

    def _reply(self, head: bytes) -> bytes | Later:
        assert self.page is not None  # noqa: S101 (its only purpose)
        return status_answer(head, self.page)


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


def _by_silence(client: Client) -> tuple[bool, float]:
    """Order clients: first those without a request, and of these the oldest."""
    return client.has_asked, client.deadline


def _age() -> float:
    """Return the seconds since this process began; infinity where the system does not tell."""
    with suppress(OSError, ValueError, IndexError):
        # The name of the program is in brackets, and may contain anything (proc(5)).
        after_name = Path("/proc/self/stat").read_text("latin-1").rpartition(")")[2].split()
        began = int(after_name[19]) / os.sysconf("SC_CLK_TCK")
        return time.clock_gettime(time.CLOCK_BOOTTIME) - began
    return float("inf")
