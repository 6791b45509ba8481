"""One of several starters looks at the schema, and the others hear what it found."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from backend.boot.exclusive.turns import Turn
from backend.boot.postgres.urls import parse_database_url
from tests.cluster import Cluster

SOON = 30.0
"""Seconds."""


class Note:
    """What one starter notes, and the others recall."""

    def __init__(self, text: str | None = None) -> None:
        self.text = text
        self.was_asked = threading.Event()
        self.looks = 0

    def recall(self, _connection: object) -> str | None:
        self.looks += 1
        self.was_asked.set()
        return self.text


@contextmanager
def waiting(turn: Turn, note: Note) -> Iterator["Future[str | None]"]:
    """Give what a starter comes to that has found nothing noted, and waits."""
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(turn.await_memory, note.recall)
        assert note.was_asked.wait(SOON)
        yield found


def turn(url: str, name: str = "theirs", timeout: float = SOON) -> Turn:
    return Turn(parse_database_url(url), name, timeout)


def taken(url: str) -> Turn:
    """Return the turn of one that has found nothing noted."""
    first = turn(url)
    assert first.await_memory(Note().recall) is None
    return first


def test_the_first_looks_and_the_others_hear(database_url: str) -> None:
    """As soon as it has ended its turn."""
    first, second, note = taken(database_url), turn(database_url), Note()
    with waiting(second, note) as found:
        assert not found.done()
        note.text = "what was found"
        first.end()
        assert found.result(SOON) == "what was found"
    taken(database_url).end()  # for nobody has it any more


def test_one_that_dies_and_has_noted_nothing(database_url: str) -> None:
    """Then the next one looks."""
    first, second, note = taken(database_url), turn(database_url), Note()
    with waiting(second, note) as found:
        first.end()
        assert found.result(SOON) is None
    assert note.looks == 2
    third = Note()
    assert turn(database_url, timeout=0.2).await_memory(third.recall) is None
    assert third.looks == 1  # it has waited for the second in vain
    second.end()


def test_patience_has_an_end(database_url: str) -> None:
    """Whoever has waited long enough looks as well."""
    first, second = taken(database_url), turn(database_url, timeout=0.2)
    assert second.await_memory(Note().recall) is None
    first.end()


def test_others_that_would_find_something_else(database_url: str) -> None:
    """They are not waited for."""
    first, second, note = taken(database_url), turn(database_url, "another"), Note()
    assert second.await_memory(note.recall) is None
    assert note.looks == 2  # at first, and before it takes its own turn
    first.end()
    second.end()


def test_what_is_known_waits_for_nobody(database_url: str) -> None:
    """It is known at once."""
    first = taken(database_url)
    assert turn(database_url).await_memory(Note("known").recall) == "known"
    first.end()


@pytest.mark.slow
def test_behind_a_pooler(debian_cluster: Cluster, pgbouncer: Callable[[str], str]) -> None:
    """Its connections are few: everybody looks at once."""
    with debian_cluster.database() as name:
        first, second, note = taken(debian_cluster.url(name)), turn(pgbouncer(name)), Note()
        assert second.await_memory(note.recall) is None
        assert note.looks == 1
        first.end()
