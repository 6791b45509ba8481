"""Which revision a schema is: a table, and what holds for any."""

import pytest
from hypothesis import given, strategies as st

from alembic_boot.adoption.comparison import Catalogue, ObjectKey
from alembic_boot.adoption.revision_choice import choose
from alembic_boot.adoption.schema_matching import (
    Points,
    equal_points,
    lines_of,
    match_schema,
    nearest_points,
)
from alembic_boot.errors import SchemaUnmanagedError
from alembic_boot.history.history import History, Revision


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
    return {key: {} for key in keys}


HISTORY: Points = {
    ("001",): catalogue("users"),
    ("002",): catalogue("users", "books"),
    ("003",): catalogue("users", "books"),
    ("004",): catalogue("users", "books", "pages", "voices"),
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
        (("users", "+vector"), ("001",), "001", 0),
    ],
)
def test_likeness(
    tables: tuple[str, ...], equal: tuple[str, ...], nearest: str, differences: int
) -> None:
    found = match_schema(catalogue(*tables), HISTORY)
    assert equal_points(found) == [(it,) for it in equal]
    assert nearest_points(found)[-1] == (nearest,)
    assert len(found[nearest,]) == differences


@pytest.mark.parametrize("wanted", [None, "001"])
@pytest.mark.parametrize(
    ("labels", "name", "is_order"),
    [
        (("b", "a"), "users", True),
        (("a",), "users", False),
        (("a", "c"), "users", False),
        (("b", "a"), "books", False),
    ],
)
def test_the_order_of_labels(
    labels: tuple[str, ...], name: str, wanted: str | None, *, is_order: bool
) -> None:
    """No statement changes the order: `stamp` is the way out, if nothing else differs."""

    def having(labels: tuple[str, ...], table: str) -> Catalogue:
        return {**catalogue(table), ObjectKey("enum", "status"): {"labels": labels}}

    found = match_schema(having(labels, name), {("001",): having(("a", "b"), "users")})
    history = History({"001": Revision("001", (), "first")})
    with pytest.raises(SchemaUnmanagedError) as caught:
        choose(found, history, wanted, is_recorded=False)
    assert ("order of enum labels" in caught.value.advice) is is_order
    assert ("stamp --revision 001`" in caught.value.advice) is is_order


@pytest.mark.parametrize("is_recorded", [False, True])
@pytest.mark.parametrize(
    ("found", "wanted", "stamped"),
    [
        (("users", "celery_x"), None, "001"),
        (("users", "celery_x"), "001", "001"),
        (("users", "books", "celery_x"), "002", "002"),
        (("users", "celery_x"), "002", None),  # books is missing
        (("celery_x",), None, None),  # all is missing
        (("users", "books"), "001", None),  # it is that of 002
    ],
)
def test_objects_beside_the_history(
    found: tuple[str, ...], wanted: str | None, stamped: str | None, *, is_recorded: bool
) -> None:
    """If nothing is missing, `stamp` is a way out: a stray table may stay where it is."""
    points: Points = {("001",): catalogue("users"), ("002",): catalogue("users", "books")}
    history = History({name: Revision(name, (), "") for name in ("001", "002")})
    matches = match_schema(catalogue(*found), points)
    with pytest.raises(SchemaUnmanagedError) as caught:
        choose(matches, history, wanted, is_recorded=is_recorded)
    assert (f"stamp --revision {stamped}` records that" in caught.value.advice) is bool(stamped)


def test_objects_beside_several_branches() -> None:
    """All are stamped at once."""
    points: Points = {("a", "b"): catalogue("users")}
    history = History({name: Revision(name, (), "") for name in "ab"})
    with pytest.raises(SchemaUnmanagedError, match="stamp --revision a,b` records"):
        choose(match_schema(catalogue("users", "x"), points), history, None, is_recorded=False)


def test_as_near() -> None:
    """All that are as near as the nearest, and no other."""
    found = match_schema(catalogue("users", "books", "pages"), HISTORY)
    assert nearest_points(found) == [("002",), ("003",), ("004",)]
    assert nearest_points(match_schema(catalogue("users", "notes"), HISTORY)) == [("001",)]


def test_an_extension() -> None:
    """One that the history makes has to be there; it may be there before, as any other may."""
    points: Points = {
        ("a",): catalogue("t"),
        ("b",): catalogue("t", "u", "+vector"),
    }
    found = match_schema(catalogue("t", "+vector", "+pg_trgm"), points)
    assert equal_points(found) == [("a",)]
    found = match_schema(catalogue("t", "u", "+vector", "+pg_trgm"), points)
    assert equal_points(found) == [("b",)]
    found = match_schema(catalogue("t", "u", "+pg_trgm"), points)
    assert nearest_points(found)[-1] == ("b",)
    assert lines_of(found["b",]) == ["extension vector is missing"]


def test_a_whole_table_is_one_line() -> None:
    """Its columns are differences, which make a far schema far, and no news."""
    points: Points = {("a",): catalogue("t", "t.id", "u", "u.id", "u.name")}
    found = match_schema(catalogue("t", "t.id", "t.name", "v", "v.id"), points)["a",]
    assert len(found) == 6
    assert lines_of(found) == [
        "column t.name is unexpected",
        "table u is missing",
        "table v is unexpected",
    ]


names = st.sets(st.sampled_from(["users", "books", "pages", "voices", "notes"]))


@given(names, st.lists(names, max_size=5, min_size=1))
def test_any(tables: set[str], history: list[set[str]]) -> None:
    """Equal are those that make the same; nothing is nearer than the nearest."""
    points: Points = {(f"{number}",): catalogue(*each) for number, each in enumerate(history)}
    found = match_schema(catalogue(*tables), points)
    assert equal_points(found) == [it for it in points if points[it] == catalogue(*tables)]
    least = {len(found[it]) for it in nearest_points(found)}
    assert least == {min(map(len, found.values()))}
