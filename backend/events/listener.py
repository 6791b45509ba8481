"""Listen to the events of other processes, in a thread, while the application serves."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg2

from alembic_boot.output.masking import mask
from alembic_boot.postgres.connection import one_line
from alembic_boot.postgres.urls import DatabaseUrl
from backend.events.connection import Bell, Ear, ListeningStopped, opened_ear

_log = logging.getLogger(__name__)

_QUIET = 2.0
"""Seconds without an event after which the server is asked for an answer."""

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
"""Seconds between two attempts to connect: the first pause, and the longest."""

_START = 3.0
"""Seconds that a start waits for the first connection; then it continues without one."""

_STOP = 1.0
"""Seconds that a stop waits for the thread; only a name lookup can keep the thread that long."""


@dataclass(frozen=True)
class Hearers:
    """The receivers: of payloads, in their order, and of a gap in which some may be missing.

    Both are called in the listener's thread, and must neither wait nor raise.
    """

    events: Callable[[list[str]], None]
    gap: Callable[[], None]


class Listener:
    """Listens on a connection of its own, and reconnects if the connection is lost.

    There is a gap before each connection, also before the first. The gap is reported when the new
    connection listens. So data that is read later is either new, or an event follows. An unforeseen
    error ends the connection like any other error, but never the listening.
    """

    def __init__(self, url: DatabaseUrl, hearers: Hearers) -> None:
        self._url = url
        self._hearers = hearers
        self._bell = Bell()
        self._listens = threading.Event()
        self._has_tried = threading.Event()
        self._is_loss_told = False
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    @property
    def is_listening(self) -> bool:
        """Return whether a change in another process would be heard now, as far as is known."""
        return self._listens.is_set()

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def wait(self) -> None:
        """Return when the first connection listens or has failed, or after some seconds."""
        self._has_tried.wait(_START)

    def stop(self) -> None:
        """Stop the thread and its connection, and end all waits for the thread."""
        self._has_tried.set()
        self._bell.ring()
        self._thread.join(_STOP)
        # A thread that is still running needs the bell; it is freed with the process.
        if not self._thread.is_alive():
            self._bell.close()

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        try:
            while True:
                try:
                    with opened_ear(self._url, self._bell) as ear:
                        pause = _FIRST_PAUSE
                        self._listen(ear)
                except ListeningStopped:
                    raise
                except Exception as error:  # noqa: BLE001 (whatever it is: others' changes are to be heard)
                    self._lost(error)
                self._bell.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        except ListeningStopped:
            _log.debug("Stopped listening for events")
        finally:
            self._listens.clear()

    def _listen(self, ear: Ear) -> None:
        self._hearers.gap()
        self._listens.set()
        self._has_tried.set()
        self._is_loss_told = False
        _log.info("Listening for events")
        while True:
            if payloads := ear.heard(_QUIET):
                self._hearers.events(payloads)
            else:
                ear.ask("SELECT 1")

    def _lost(self, error: Exception) -> None:
        self._listens.clear()
        if isinstance(error, psycopg2.Error):
            cause = one_line(error)
        else:
            cause = f"{type(error).__name__}: {error}"
            _log.debug("The failure in full", exc_info=error)
        # Once for each lost connection, not at every attempt.
        level = logging.DEBUG if self._is_loss_told else logging.WARNING
        self._is_loss_told = True
        self._has_tried.set()
        _log.log(level, "No events are heard, trying again: %s", mask(cause))


@asynccontextmanager
async def listening(url: DatabaseUrl, hearers: Hearers) -> AsyncIterator[Listener]:
    """Yield a listener that runs until the end of the block."""
    listener = Listener(url, hearers)
    listener.start()
    try:
        await asyncio.to_thread(listener.wait)
        yield listener
    finally:
        # Here and not in another thread: after a cancellation the block awaits nothing more.
        listener.stop()
