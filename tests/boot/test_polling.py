"""Waiting for a condition: until it is true, or the time is over."""

import pytest

from alembic_boot.polling import poll


class Clock:
    """A clock that only pauses move on."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize(
    ("answers", "timeout", "answer", "said"),
    [
        ([7], 10, 7, []),
        ([0, 0, 7], 10, 7, [0, 2]),
        ([0, 0, 0, 7], 4, 0, [0, 2]),
        ([0], 0, 0, []),
    ],
    ids=["at once", "later", "too late", "no time at all"],
)
def test_polling(answers: list[int], timeout: float, answer: int, said: list[float]) -> None:
    """It asks every two seconds, and says how long it has waited."""
    clock, given, heard = Clock(), iter(answers), list[float]()
    found = poll(lambda: next(given), timeout, 2, say=heard.append, clock=clock, pause=clock.pause)
    assert (found, heard) == (answer, said)
