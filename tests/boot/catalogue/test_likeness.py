"""Which revision a schema is: a table, and what holds for any."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.boot.catalogue.comparison import Catalogue, ObjectKey
from backend.boot.catalogue.likeness import liken


def catalogue(*tables: str) -> Catalogue:
    return Catalogue({ObjectKey("table", name): {} for name in tables})


HISTORY = {
    "001": catalogue("users"),
    "002": catalogue("users", "books"),
    "003": catalogue("users", "books"),
    "004": catalogue("users", "books", "pages", "voices"),
}


@pytest.mark.parametrize(
    ("tables", "equal", "nearest", "differences"),
    [
        (("users",), ("001",), "001", 0),
        (("users", "books"), ("002", "003"), "003", 0),
        (("users", "books", "pages", "voices"), ("004",), "004", 0),
        ((), (), "001", 1),
        (("notes",), (), "001", 2),
        # As far from the one as from the other: the newer is the better guess.
        (("users", "books", "pages"), (), "004", 1),
        (("users", "books", "notes"), (), "003", 1),
    ],
)
def test_likeness(
    tables: tuple[str, ...], equal: tuple[str, ...], nearest: str, differences: int
) -> None:
    found = liken(catalogue(*tables), HISTORY)
    assert found.equal == equal
    assert found.nearest is not None
    assert (found.nearest.revision, len(found.nearest.differences)) == (nearest, differences)


def test_no_history() -> None:
    """Nothing is like nothing."""
    found = liken(catalogue("users"), {})
    assert (found.equal, found.nearest, found.of("001")) == ((), None, None)


names = st.sets(st.sampled_from(["users", "books", "pages", "voices", "notes"]))


@given(names, st.lists(names, max_size=5))
def test_any(tables: set[str], history: list[set[str]]) -> None:
    """Equal are those that make the same; nothing is nearer than the nearest."""
    made = {f"{number}": catalogue(*each) for number, each in enumerate(history)}
    found = liken(catalogue(*tables), made)
    assert found.equal == tuple(name for name, each in made.items() if each == catalogue(*tables))
    for revision in made:
        like = found.of(revision)
        assert like is not None
        assert found.nearest is not None
        assert len(found.nearest.differences) <= len(like.differences)
