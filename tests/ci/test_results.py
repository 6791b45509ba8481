"""What became of the steps, and what follows: as tables."""

import pytest

from backend.ci.results import Outcome, Result, completed, is_success, may_begin, table

LINT = Outcome("lint", Result.PASSED, 12.34)
TEST = Outcome("test", Result.FAILED, 640.0)
IMAGE = Outcome("image", Result.PASSED, 8.0)
BAD_IMAGE = Outcome("image", Result.FAILED, 8.0)


@pytest.mark.parametrize(
    ("needs", "outcomes", "expected"),
    [
        ((), [], True),
        ((), [TEST], True),
        (("image",), [TEST, IMAGE], True),
        (("image",), [LINT, BAD_IMAGE], False),
        (("image",), [LINT], False),
    ],
)
def test_may_begin(needs: tuple[str, ...], outcomes: list[Outcome], expected: bool) -> None:
    """A failure keeps only those from beginning that need what failed."""
    assert may_begin(needs, outcomes) is expected


def test_those_not_reached_are_skipped() -> None:
    skipped = Outcome("scenarios", Result.SKIPPED)
    assert completed(["lint", "test", "scenarios"], [LINT, TEST]) == [LINT, TEST, skipped]


@pytest.mark.parametrize("result", Result)
def test_success(result: Result) -> None:
    """Only what passed is a success: not what was skipped, nor what was stopped."""
    outcomes = [LINT, Outcome("test", result)]
    assert is_success(outcomes) is (result is Result.PASSED)


def test_table() -> None:
    """It has a line a step, which begins with what to type for that step alone."""
    assert table([LINT, TEST, Outcome("scenarios", Result.SKIPPED)]).splitlines() == [
        "step          result    seconds",
        "ci.lint       passed       12.3",
        "ci.test       failed      640.0",
        "ci.scenarios  skipped       0.0",
    ]
