"""Collecting in one thread for all who ask."""

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import pytest

from alembic_boot.status_page.collecting import Found, Key
from alembic_boot.status_page.collector import Collector
from tests.waiting import SOON, wait_until


class Counting:
    """Counts the collections, and holds them back until it may go on."""

    def __init__(self) -> None:
        self.asked: list[set[Key]] = []
        self.may_go_on = threading.Event()
        self.error: Exception | None = None

    def __call__(self, keys: Collection[Key]) -> dict[Key, Found]:
        self.asked.append(set(keys))
        assert self.may_go_on.wait(SOON)
        if self.error is not None:
            raise self.error
        return dict.fromkeys(keys)


@contextmanager
def collecting() -> Iterator[tuple[Counting, Collector]]:
    counting = Counting()
    collector = Collector(counting, interval=0.2)
    try:
        yield counting, collector
    finally:
        counting.may_go_on.set()
        collector.close()


def test_a_crowd_shares_one_collection() -> None:
    """Nothing is collected before somebody asks, and an answer is fresh for a while."""
    with collecting() as (counting, collector):
        assert "status-page" not in [it.name for it in threading.enumerate()]
        asked = [collector.ask(1) for _ in range(100)]
        wait_until(lambda: counting.asked)
        more = collector.ask("a1")
        assert collector.latest(1) is None  # it does not wait
        counting.may_go_on.set()
        assert [it.result(SOON) for it in asked] == [None] * 100
        assert collector.latest(1) == (None,)
        assert collector.ask(1).done()
        more.result(SOON)
        assert counting.asked == [{1}, {"a1"}]


def test_too_many_different_questions() -> None:
    """A client that makes up ids cannot have them all looked up."""
    with collecting() as (_, collector):
        asked = [collector.ask(f"id {number}") for number in range(100)]
        refused = [it for it in asked if it.done() and isinstance(it.exception(), TimeoutError)]
        assert len(refused) >= 50


def test_a_failure_is_not_the_end() -> None:
    with collecting() as (counting, collector):
        counting.may_go_on.set()
        counting.error = ValueError("a defect")
        with pytest.raises(ValueError, match="a defect"):
            collector.ask(1).result(SOON)
        counting.error = None
        assert collector.ask(1).result(SOON) is None


def test_it_ends() -> None:
    """Who waits is told; who asks later, too."""
    with collecting() as (counting, collector):
        collector.ask(1)
        wait_until(lambda: counting.asked)
        waiting = collector.ask(2)
        collector.close()
        counting.may_go_on.set()
        assert isinstance(waiting.exception(SOON), TimeoutError)
        assert isinstance(collector.ask(3).exception(), TimeoutError)
