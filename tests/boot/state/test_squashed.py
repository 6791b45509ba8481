"""A revision that was recorded in place of others takes them down with it."""

import pytest

from alembic_boot.state.edits import taken_along
from tests.boot.history.graphs import LINE
from tests.boot.state.situations import entry, words


@pytest.mark.parametrize(
    ("taken_back", "journal", "expected"),
    [
        ("003", "", ""),
        ("003", "002<001 003<002", ""),
        ("001", "x1 x2<x1 001<x2", "x2 x1"),
        ("001", "x1 x2<x1 y1 001<x2,y1", "y1 x2 x1"),
        ("003", "x3<002 002<001 003<x3", "x3"),  # down to what this history has
        ("003 002", "x1<001 002<x1 x2<002 003<x2", "x1 x2"),
        ("001", "001<x2", ""),  # no row, no opinion
        ("001", "x1<x2 x2<x1 001<x1", "x1 x2"),
        ("002", "x1 001<x1 002<001", ""),
    ],
)
def test_what_goes_along(taken_back: str, journal: str, expected: str) -> None:
    """All that the journal has below it, and this history has not."""
    found = taken_along(words(taken_back), map(entry, words(journal)), LINE)
    assert found == words(expected)
