"""The server waits so long for a client, and the longest wait makes room for another."""

import pytest

from alembic_boot.serving.open_connections import (
    Awaited,
    Episodes,
    Wait,
    is_too_long,
    longest_waits,
)


@pytest.mark.parametrize(
    ("awaited", "seconds"),
    [(Awaited.HEAD, 15), (Awaited.BODY, 15), (Awaited.READ, 30), (Awaited.CLOSE, 2)],
)
def test_the_limits(awaited: Awaited, seconds: float) -> None:
    wait = Wait(awaited, 100)
    assert not is_too_long(wait, 100 + seconds - 0.1)
    assert is_too_long(wait, 100 + seconds)


@pytest.mark.parametrize(
    ("waits", "count", "expected"),
    [
        ({}, 3, []),
        ({"a": 5, "b": 3, "c": 4}, 2, ["b", "c"]),
        ({"a": 5, "b": 3, "c": 4}, 9, ["b", "c", "a"]),
        ({"at work": None, "b": 3}, 2, ["b"]),
        ({"at work": None}, 1, []),
        ({"first": 3, "second": 3}, 1, ["first"]),
    ],
)
def test_who_makes_room(waits: dict[str, float | None], count: int, expected: list[str]) -> None:
    given = (
        (name, None if since is None else Wait(Awaited.HEAD, since))
        for name, since in waits.items()
    )
    assert longest_waits(given, count) == expected


def test_a_trouble_is_news_once() -> None:
    """It is news again after a calm time without it, counted from the last time."""
    episodes = Episodes(calm=60)
    times = {0: True, 1: False, 59: False, 118: False, 178: True, 179: False}
    assert {now: episodes.begins(now) for now in times} == times
