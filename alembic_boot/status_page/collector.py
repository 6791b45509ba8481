"""One thread that collects reports: at most once a second, and only while they are asked for."""

import logging
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future

from alembic_boot.status_page.collecting import Found, Key

_INTERVAL = 1.0
"""Seconds between two collections; so long an answer is fresh."""

_KEPT = 10.0
"""Seconds for which an old answer is better than none."""

_MOST = 20
"""Keys that may wait for one collection."""

_log = logging.getLogger(__name__)


class Collector:
    """Shares what is collected between all who ask. Thread-safe; nothing blocks the caller."""

    def __init__(
        self,
        collect: Callable[[Collection[Key]], dict[Key, Found]],
        interval: float = _INTERVAL,
    ) -> None:
        self._collect = collect
        self._interval = interval
        self._asked: dict[Key, Future[Found]] = {}
        self._known: dict[Key, tuple[float, Found]] = {}
        self._news = threading.Condition()
        self._thread: threading.Thread | None = None
        self._has_ended = threading.Event()

    def ask(self, key: Key) -> Future[Found]:
        """Return what will have the answer soon, or has it. It fails if too much is asked."""
        with self._news:
            if key in self._known and time.monotonic() - self._known[key][0] < self._interval:
                done: Future[Found] = Future()
                done.set_result(self._known[key][1])
                return done
            if key not in self._asked:
                if len(self._asked) >= _MOST or self._has_ended.is_set():
                    refused: Future[Found] = Future()
                    refused.set_exception(TimeoutError())
                    return refused
                asked = self._asked[key] = Future()
                asked.set_running_or_notify_cancel()  # nobody may cancel it for all
                self._start()
                self._news.notify()
            return self._asked[key]

    def latest(self, key: Key) -> tuple[Found] | None:
        """Return the last answer if it is not too old, and have it collected again."""
        self.ask(key)
        with self._news:
            when, found = self._known.get(key, (float("-inf"), None))
            return (found,) if time.monotonic() - when < _KEPT else None

    def close(self) -> None:
        """Collect nothing any more."""
        with self._news:
            self._has_ended.set()
            self._news.notify()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="status-page", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._asked or self._has_ended.is_set())
                if self._has_ended.is_set():
                    for it in self._asked.values():
                        it.set_exception(TimeoutError())
                    return
                keys = tuple(self._asked)
            begun = time.monotonic()
            try:
                found = self._collect(keys)
            except Exception as error:  # noqa: BLE001 (the next collection may succeed)
                _log.warning("The status page could not be collected: %r", error)
                self._answer({}, keys, error)
            else:
                self._answer(found, keys, None)
            self._has_ended.wait(begun + self._interval - time.monotonic())

    def _answer(
        self, found: dict[Key, Found], keys: Collection[Key], error: Exception | None
    ) -> None:
        now = time.monotonic()
        with self._news:
            self._known = {k: it for k, it in self._known.items() if now - it[0] < _KEPT}
            self._known.update({key: (now, it) for key, it in found.items()})
            for key in keys:
                future = self._asked.pop(key)
                if error is not None:
                    future.set_exception(error)
                else:
                    future.set_result(found[key])
