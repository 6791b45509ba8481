"""When a statement that somebody looks at from outside has waited long enough."""

import pytest

from alembic_boot.running.wait_limit import WaitLimit

# may it yield, (seconds it waited, what they cost others) each → how often it is cancelled
WAITS = [
    (True, [(0.9, 0.0)], 0),
    (True, [(0.6, 0.0), (0.6, 0.0)], 1),
    (True, [(1.0, 0.0), (1.0, 0.0)], 1),
    (True, [(0.1, 1.0), (0.1, 1.0)], 1),
    (False, [(0.1, 1.0), (0.1, 1.0)], 0),
    (False, [(0.5, 9.0), (0.5, 9.0)], 1),
]


@pytest.mark.parametrize(("may_yield", "waits", "times"), WAITS)
def test_enough(may_yield: bool, waits: list[tuple[float, float]], times: int) -> None:
    """All its waits count together, and it is told once."""
    limit = WaitLimit(1, may_yield=may_yield)
    answers = [True] * 2
    for seconds, cost in waits:
        limit.waited(seconds, cost, answers.pop)
    assert (2 - len(answers), limit.has_ended_it) == (times, times > 0)


def test_one_that_did_not_wait_any_more() -> None:
    """A cancel that found nobody is sent again at the next look."""
    limit, answers = WaitLimit(1, may_yield=True), [False, True]
    for _ in range(3):
        limit.waited(1, 0, lambda: answers.pop(0))
    assert (answers, limit.has_ended_it) == ([], True)


def test_closed() -> None:
    """When the statement is over nothing is cancelled: it could hit the next one."""
    limit = WaitLimit(1, may_yield=True)
    limit.close()
    limit.waited(2, 0, lambda: pytest.fail("cancelled"))
    assert not limit.has_ended_it
