"""One thread that collects reports and draws them: at most once a second, and only if asked."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future
from http import HTTPStatus

from alembic_boot.status_page.answers import CHANGES, View, draw, refused, view_of
from alembic_boot.status_page.report import Found, Key
from alembic_boot.status_page.requests import Answer, Request, finished, not_yet, problem

_INTERVAL = 1.0
"""Seconds between two collections. An answer is shown for two of them."""

_MOST = 20
"""Views that may wait for one collection, besides those of the first page."""

_MOST_WAITING = 200
"""Requests that may wait for one collection."""

_MOST_DRAWN = 40
"""Answers that are kept."""

_log = logging.getLogger(__name__)


class Collector:
    """Shares each answer between all who ask. Thread-safe; nothing blocks the caller."""

    def __init__(
        self,
        collect: Callable[[Collection[Key]], dict[Key, Found]],
        knows: Callable[[str], bool] = lambda _id: True,
        interval: float = _INTERVAL,
    ) -> None:
        """Take what collects, and what tells whether a revision of that id may be there."""
        self._collect = collect
        self._knows = knows
        self._interval = interval
        self._asked: dict[View, Future[Answer]] = {}
        self._waiting = 0
        self._drawn: dict[View, tuple[float, Answer]] = {}
        self._told: str | None = None
        self._news = threading.Condition()
        self._thread: threading.Thread | None = None
        self._has_ended = threading.Event()

    async def answer(self, request: Request, patience: float) -> Answer:
        """Return the answer to one client, who waits at most so many seconds for it."""
        if (view := view_of(request)) is None:
            return refused(request)
        try:
            async with asyncio.timeout(patience):
                return finished(request, await asyncio.wrap_future(self.ask(view)))
        except TimeoutError:
            return not_yet()

    def ask(self, view: View) -> Future[Answer]:
        """Return what will have the answer soon, or has it. It never fails."""
        with self._news:
            if isinstance(view.key, str) and not self._knows(view.key):
                self._want(CHANGES)  # the revision may be new: the next look knows it
                return _done(problem(HTTPStatus.NOT_FOUND))
            if (drawn := self._recent(view)) is not None:
                return _done(drawn)
            if view not in self._asked or self._waiting >= _MOST_WAITING:
                return _done(not_yet())
            self._waiting += 1
            return self._asked[view]

    def latest(self, view: View) -> Answer | None:
        """Return the last answer, however old, if there is one; a newer one is there soon."""
        with self._news:
            self._recent(view)
            return self._drawn[view][1] if view in self._drawn else None

    def close(self) -> None:
        """Collect nothing any more."""
        with self._news:
            self._has_ended.set()
            self._news.notify()

    def _recent(self, view: View) -> Answer | None:
        """Return the last answer if it is not too old, and have it made again in time."""
        when, drawn = self._drawn.get(view, (float("-inf"), None))
        age = time.monotonic() - when
        if age >= self._interval:
            self._want(view)
        return drawn if age < 2 * self._interval else None

    def _want(self, view: View) -> None:
        is_refused = len(self._asked) >= _MOST and view.key != 1
        if view in self._asked or is_refused or self._has_ended.is_set():
            return
        asked = self._asked[view] = Future[Answer]()
        asked.set_running_or_notify_cancel()  # one client must not cancel it for all
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="status-page", daemon=True)
            self._thread.start()
        self._news.notify()

    def _run(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._asked or self._has_ended.is_set())
                views = tuple(self._asked)
            if self._has_ended.is_set():
                self._answer({view: not_yet() for view in views})
                return
            begun = time.monotonic()
            found = self._collected(dict.fromkeys(it.key for it in views))
            self._answer({view: self._draw(view, found[view.key]) for view in views})
            self._has_ended.wait(begun + self._interval - time.monotonic())

    def _collected(self, keys: Iterable[Key]) -> dict[Key, Found | Exception]:
        """Return what is found for each key. If one of them fails, each is collected alone."""
        keys = tuple(keys)
        try:
            return {**self._collect(keys)}
        except Exception as error:  # noqa: BLE001 (the next collection may succeed)
            if len(keys) == 1:
                return {keys[0]: self._failed(error)}
        return {key: found for it in keys for key, found in self._collected([it]).items()}

    def _draw(self, view: View, found: Found | Exception) -> Answer:
        if not isinstance(found, Exception):
            try:
                return draw(view, found)
            except Exception as error:  # noqa: BLE001 (the others are drawn all the same)
                self._failed(error)
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR)

    def _failed(self, error: Exception) -> Exception:
        """Log an error, once while it stays the same."""
        if (text := repr(error)) != self._told:
            _log.warning("The status page could not be collected: %s", text)
        self._told = text
        return error

    def _answer(self, drawn: dict[View, Answer]) -> None:
        now = time.monotonic()
        with self._news:
            for view, answer in drawn.items():
                self._drawn.pop(view, None)
                self._drawn[view] = now, answer
            for view in tuple(self._drawn)[:-_MOST_DRAWN]:
                del self._drawn[view]
            waiting = [(self._asked.pop(view), answer) for view, answer in drawn.items()]
            self._waiting = 0
        for asked, answer in waiting:  # without the lock: it calls those who wait
            asked.set_result(answer)


def _done(answer: Answer) -> Future[Answer]:
    found = Future[Answer]()
    found.set_result(answer)
    return found
