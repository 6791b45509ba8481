"""Which revision a schema is: a table, and what holds for any."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alembic_boot.adoption.comparison import Catalogue, ObjectKey
from alembic_boot.adoption.schema_matching import HistoryPoint, SchemaMatch, match_schema


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
    HistoryPoint(("001",), catalogue("users")),
    HistoryPoint(("002",), catalogue("users", "books")),
    HistoryPoint(("003",), catalogue("users", "books")),
    HistoryPoint(("004",), catalogue("users", "books", "pages", "voices")),
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
    found = match_schema(catalogue(*tables), HISTORY)
    assert found.equal == tuple((it,) for it in equal)
    assert found.nearest.revisions == (nearest,)
    assert len(found.nearest.differences) == differences


def test_as_near() -> None:
    """All that are as near as the nearest, and no other."""
    found = match_schema(catalogue("users", "books", "pages"), HISTORY)
    assert found.as_near == (("002",), ("003",), ("004",))
    assert match_schema(catalogue("users", "notes"), HISTORY).as_near == (("001",),)


def test_an_extension() -> None:
    """One that the history makes has to be there; it may be there before, as any other may."""
    points = [
        HistoryPoint(("a",), catalogue("t")),
        HistoryPoint(("b",), catalogue("t", "u", "+vector")),
    ]
    assert match_schema(catalogue("t", "+vector", "+pg_trgm"), points).equal == (("a",),)
    assert match_schema(catalogue("t", "u", "+vector", "+pg_trgm"), points).equal == (("b",),)
    nearest = match_schema(catalogue("t", "u", "+pg_trgm"), points).nearest
    assert (nearest.revisions, nearest.lines()) == (("b",), ("extension vector is missing",))


def test_a_whole_table_is_one_line() -> None:
    """Its columns are differences, which make a far schema far, and no news."""
    points = [HistoryPoint(("a",), catalogue("t", "t.id", "u", "u.id", "u.name"))]
    found = match_schema(catalogue("t", "t.id", "t.name", "v", "v.id"), points).nearest
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
    points = [HistoryPoint((f"{number}",), catalogue(*each)) for number, each in enumerate(history)]
    found = match_schema(catalogue(*tables), points)
    assert found.equal == tuple(it.revisions for it in points if it.catalogue == catalogue(*tables))
    assert found.of("there is none") is None
    for point in points:
        like = found.of(*point.revisions)
        assert isinstance(like, SchemaMatch)
        assert len(found.nearest.differences) <= len(like.differences)
