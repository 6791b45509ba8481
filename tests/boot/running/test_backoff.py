"""When to ask again, when it has been enough, and what a wait may cost others."""

import pytest
from hypothesis import given, strategies as st

from alembic_boot.running.backoff import Harm, Look, limit, pause, row_limit
from alembic_boot.running.budget import Budget


@pytest.mark.parametrize(("tries", "seconds"), [(0, 0.1), (1, 0.2), (2, 0.2), (1000, 0.2)])
def test_limit(tries: int, seconds: float) -> None:
    assert limit(tries) == seconds


@pytest.mark.parametrize(("left", "seconds"), [(120, 120), (100, 100), (0, 0.2), (-1, 0.2)])
def test_limit_for_rows(left: float, seconds: float) -> None:
    """It is all that is left, and never none at all."""
    assert row_limit(1, left) == seconds


@given(st.floats(0, 1))
def test_pause(chance: float) -> None:
    """It is never longer than half a second, and never so short that the queue stays."""
    assert 0.25 <= pause(chance) <= 0.5


@pytest.mark.parametrize(
    ("seconds", "waited", "is_over"),
    [(120, 0, False), (120, 119.9, False), (120, 120, True), (0, 0, True), (0.5, 0.4, False)],
)
def test_budget(seconds: float, waited: float, is_over: bool) -> None:
    """A wait ends when the budget is used up, but not before its own limit."""
    budget = Budget(seconds)
    budget.waited(waited)
    assert budget.is_over(0.1) is is_over
    assert not budget.is_over(0.09)


def waiting(blocked: int, lock: str = "a lock") -> Look:
    return Look(lock, frozenset(range(blocked)))


def working(blocked: int) -> Look:
    return Look(None, frozenset(range(blocked)))


# what is looked at for how many seconds each → whether others wait so long that our wait must end,
# and whether to say so
LOOKS = [
    ([], False, False),
    ([(waiting(0), 60)], False, False),
    ([(waiting(1), 0.19)], False, False),
    ([(waiting(1), 0.2)], True, False),
    ([(waiting(10), 0.2)], True, True),
    ([(waiting(100), 0.02)], True, True),
    ([(waiting(20), 0.04), (waiting(30), 0.04)], True, True),
    ([(waiting(20), 0.1), (waiting(0), 0.1)], False, True),
    # Who came later has waited for less.
    ([(waiting(1), 0.1), (Look("a lock", frozenset({7})), 0.1)], False, False),
    # One that has been let through begins anew.
    ([(waiting(1), 0.1), (waiting(0), 0.1), (waiting(1), 0.1)], False, False),
    # Several waits of ours are one to who waits through all of them.
    ([(waiting(1, "one"), 0.1), (waiting(1, "two"), 0.1)], True, False),
    ([(waiting(1), 0.1), (working(1), 60), (waiting(1), 0.1)], True, True),
    ([(working(0), 60)], False, False),
    ([(working(5), 60)], False, True),
    # What its work has cost is not held against its next wait.
    ([(working(5), 60), (waiting(5), 0.1)], False, True),
    ([(waiting(10), 0.2), (working(10), 0.1)], False, True),
]


@pytest.mark.parametrize(("looks", "is_too_much", "is_worth_a_word"), LOOKS)
def test_harm(looks: list[tuple[Look, float]], is_too_much: bool, is_worth_a_word: bool) -> None:
    harm, last = Harm(), Look()
    for look, seconds in looks:
        harm, last = harm.after(look, seconds), look
    found = harm.is_too_much(last, tries=0), harm.is_worth_a_word
    assert found == (is_too_much, is_worth_a_word)


def test_harm_of_many_tries() -> None:
    """What needs several tables gets them in the end; no single wait is longer for that."""
    one, two = waiting(1, "one"), waiting(1, "two")
    harm = Harm().after(one, 0.1).after(two, 0.1)
    assert harm.is_too_much(two, tries=9)
    assert not harm.is_too_much(two, tries=10)
    assert harm.after(two, 0.1).is_too_much(two, tries=10)


def test_how_long_a_wait_has_lasted() -> None:
    """It begins anew with another lock."""
    harm = Harm().after(waiting(0, "one"), 5).after(waiting(0, "two"), 1)
    assert harm.after(waiting(0, "two"), 2).lasted == 3
    assert harm.after(working(0), 2).lasted == 0
