"""Collecting and drawing in one thread for all who ask."""

import threading
import time
from collections.abc import Collection, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import pytest

from alembic_boot.status_page import collector as collector_module
from alembic_boot.status_page.answers import View, draw
from alembic_boot.status_page.collector import Collector
from alembic_boot.status_page.report import Found, Key
from alembic_boot.status_page.requests import DATA, PAGE, REVISIONS, Answer
from tests.boot.status_page.reports import READY
from tests.waiting import LONG, SOON, wait_until

FIRST = View(1, DATA)


def view(id_: str) -> View:
    return View(id_, REVISIONS, "en")


def status(asked: Future[Answer]) -> int:
    return asked.result(SOON).status


class Counting:
    """Counts the collections, and holds them back until it may go on."""

    def __init__(self) -> None:
        self.asked: list[set[Key]] = []
        self.may_go_on = threading.Event()
        self.harmful: Key | None = None

    def __call__(self, keys: Collection[Key]) -> dict[Key, Found]:
        self.asked.append(set(keys))
        assert self.may_go_on.wait(SOON)
        if self.harmful in keys:
            raise ValueError("a defect")
        return {key: READY if isinstance(key, int) else None for key in keys}


@contextmanager
def collecting(interval: float = 0.2) -> Iterator[tuple[Counting, Collector]]:
    counting = Counting()
    collector = Collector(counting, lambda id_: id_ != "unknown", interval=interval)
    try:
        yield counting, collector
    finally:
        counting.may_go_on.set()
        collector.close()


def test_a_crowd_shares_one_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is collected before somebody asks, and an answer is fresh for a while."""
    drawn: list[str] = []

    def counted(view: View, found: Found) -> Answer:
        drawn.append(threading.current_thread().name)
        return draw(view, found)

    monkeypatch.setattr(collector_module, "draw", counted)
    with collecting(LONG) as (counting, collector):
        assert collector._thread is None
        asked = [collector.ask(FIRST) for _ in range(100)]
        wait_until(lambda: counting.asked)
        assert collector.latest(FIRST) is None  # it does not wait
        counting.may_go_on.set()
        assert len({id(it.result(SOON)) for it in asked}) == 1
        assert collector.latest(FIRST) is asked[0].result()
        assert collector.ask(FIRST).done()
        assert drawn == ["status-page"]
        assert counting.asked == [{1}]


def test_an_answer_is_not_old() -> None:
    """After a pause, the first to ask gets what is true then."""
    with collecting() as (counting, collector):
        counting.may_go_on.set()
        old = collector.ask(FIRST).result(SOON)
        asked_at = time.monotonic()
        wait_until(lambda: time.monotonic() > asked_at + 0.5)
        assert collector.ask(FIRST).result(SOON) is not old


def test_too_many_different_questions() -> None:
    """A client that makes up ids cannot have them all looked up, nor keep the page from others."""
    with collecting() as (counting, collector):
        asked = [collector.ask(view(f"id {number}")) for number in range(100)]
        assert [it.result().status for it in asked if it.done()] == [503] * 80
        page = collector.ask(View(1, PAGE, "en"))
        counting.may_go_on.set()
        assert status(page) == 200


def test_too_many_who_wait() -> None:
    with collecting() as (_, collector):
        asked = [collector.ask(FIRST) for _ in range(1000)]
        assert [it.result().status for it in asked if it.done()] == [503] * 800


def test_an_unknown_id() -> None:
    """It takes no place: the answer is there at once."""
    with collecting() as (_, collector):
        assert collector.ask(view("unknown")).result(0).status == 404


def test_a_failure_is_not_the_end(caplog: pytest.LogCaptureFixture) -> None:
    """It is that of one view alone, and is logged once."""
    with collecting() as (counting, collector):
        counting.harmful = "b2"
        asked = [collector.ask(it) for it in (view("b2"), FIRST, view("a1"))]
        counting.may_go_on.set()
        assert [status(it) for it in asked] == [500, 200, 404]
        assert caplog.text.count("a defect") == 1


def test_it_ends() -> None:
    """Who waits is told; who asks later, too."""
    with collecting() as (counting, collector):
        collector.ask(FIRST)
        wait_until(lambda: counting.asked)
        waiting = collector.ask(view("a1"))
        collector.close()
        counting.may_go_on.set()
        assert status(waiting) == 503
        assert status(collector.ask(view("a2"))) == 503
