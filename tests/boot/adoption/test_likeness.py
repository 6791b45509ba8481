"""Which revision a schema is: a table, and what holds for any."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alembic_boot.adoption.comparison import Catalogue, ObjectKey
from alembic_boot.adoption.likeness import Likeness, Point, liken


def catalogue(*names: str) -> Catalogue:
    """Return a catalogue of tables, of columns, whose names have a dot, and of +extensions."""
    keys = [
        ObjectKey("extension", name[1:])
        if name.startswith("+")
        else ObjectKey("column", *name.split("."))
        if "." in name
        else ObjectKey("table", name)
        for name in names
    ]
    return Catalogue({key: {} for key in keys})


HISTORY = [
    Point(("001",), catalogue("users")),
    Point(("002",), catalogue("users", "books")),
    Point(("003",), catalogue("users", "books")),
    Point(("004",), catalogue("users", "books", "pages", "voices")),
]


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
        (("users", "+vector"), ("001",), "001", 0),
    ],
)
def test_likeness(
    tables: tuple[str, ...], equal: tuple[str, ...], nearest: str, differences: int
) -> None:
    found = liken(catalogue(*tables), HISTORY)
    assert found.equal == tuple((it,) for it in equal)
    assert found.nearest.revisions == (nearest,)
    assert len(found.nearest.differences) == differences


def test_as_near() -> None:
    """All that are as near as the nearest, and no other."""
    found = liken(catalogue("users", "books", "pages"), HISTORY)
    assert found.as_near == (("002",), ("003",), ("004",))
    assert liken(catalogue("users", "notes"), HISTORY).as_near == (("001",),)


def test_an_extension() -> None:
    """One that the history makes has to be there; it may be there before, as any other may."""
    points = [Point(("a",), catalogue("t")), Point(("b",), catalogue("t", "u", "+vector"))]
    assert liken(catalogue("t", "+vector", "+pg_trgm"), points).equal == (("a",),)
    assert liken(catalogue("t", "u", "+vector", "+pg_trgm"), points).equal == (("b",),)
    nearest = liken(catalogue("t", "u", "+pg_trgm"), points).nearest
    assert (nearest.revisions, nearest.lines()) == (("b",), ("extension vector is missing",))


def test_a_whole_table_is_one_line() -> None:
    """Its columns are differences, which make a far schema far, and no news."""
    points = [Point(("a",), catalogue("t", "t.id", "u", "u.id", "u.name"))]
    found = liken(catalogue("t", "t.id", "t.name", "v", "v.id"), points).nearest
    assert len(found.differences) == 6
    assert found.lines() == (
        "column t.name is unexpected",
        "table u is missing",
        "table v is unexpected",
    )


names = st.sets(st.sampled_from(["users", "books", "pages", "voices", "notes"]))


@given(names, st.lists(names, max_size=5, min_size=1))
def test_any(tables: set[str], history: list[set[str]]) -> None:
    """Equal are those that make the same; nothing is nearer than the nearest."""
    points = [Point((f"{number}",), catalogue(*each)) for number, each in enumerate(history)]
    found = liken(catalogue(*tables), points)
    assert found.equal == tuple(it.revisions for it in points if it.catalogue == catalogue(*tables))
    assert found.of("there is none") is None
    for point in points:
        like = found.of(*point.revisions)
        assert isinstance(like, Likeness)
        assert len(found.nearest.differences) <= len(like.differences)
