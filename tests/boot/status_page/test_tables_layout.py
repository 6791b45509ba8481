"""The places of tables and of the lines between them."""

from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings, strategies as st

from alembic_boot.status_page.drawing.tables_layout import (
    MOST_TABLES,
    Box,
    Layout,
    layout,
    names_of,
)
from alembic_boot.status_page.report import Column, ForeignKey, Table


def _tables(references: list[list[int]], columns: int = 3) -> list[Table]:
    return [
        Table(
            f"t{number}",
            tuple(Column(f"c{it}", "integer", False) for it in range(columns)),
            tuple(
                ForeignKey((f"c{it % columns}",), f"t{to}", ("c0",)) for it, to in enumerate(all_)
            ),
        )
        for number, all_ in enumerate(references)
    ]


def _crosses(box: Box, one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Return whether a piece of a line enters a box; to touch its side is no crossing."""
    (left, right), (top, bottom) = sorted((one[0], other[0])), sorted((one[1], other[1]))
    beside = right <= box.x or left >= box.x + box.width
    return not (beside or bottom <= box.y or top >= box.y + box.height)


def _assert_sound(placed: Layout) -> None:
    for one, other in combinations(placed.boxes, 2):
        beside = one.x + one.width <= other.x or other.x + other.width <= one.x
        assert beside or one.y + one.height <= other.y or other.y + other.height <= one.y
    for line in placed.lines:
        assert all(0 <= x <= placed.width and 0 <= y <= placed.height for x, y in line.points)
        for begin, end in pairwise(line.points):
            assert begin[0] == end[0] or begin[1] == end[1]
            assert not [it.table.name for it in placed.boxes if _crosses(it, begin, end)]


@given(st.lists(st.lists(st.integers(0, 19), max_size=4), min_size=1, max_size=20))
@settings(max_examples=40, deadline=None)
def test_no_line_crosses_a_box(references: list[list[int]]) -> None:
    """References may lead to the table itself, in a circle, or to a table that is missing."""
    placed = layout(_tables(references))
    assert len(placed.boxes) == len(references)
    assert len(placed.lines) == sum(it < len(references) for all_ in references for it in all_)
    _assert_sound(placed)


@pytest.mark.parametrize("columns", [1, 40])
def test_many_tables_are_bounded(columns: int) -> None:
    placed = layout(_tables([[it // 2] for it in range(MOST_TABLES + 9)], columns))
    assert len(placed.boxes) == MOST_TABLES
    _assert_sound(placed)


def test_lines_to_one_table_share_their_way() -> None:
    """Each leaves at its own column, and all arrive at the same one."""
    placed = layout(_tables([[], [0], [0, 0]]))
    assert {line.group for line in placed.lines} == {0}
    assert len({line.points[0] for line in placed.lines}) == 3
    assert len({line.points[-2:] for line in placed.lines}) == 1


@pytest.mark.parametrize(
    ("type_", "shown"),
    [
        ("timestamp with time zone", "timestamptz"),
        ("time(3) without time zone", "time(3)"),
        ("character varying(320)", "varchar(320)"),
        ("character varying[]", "varchar[]"),
        ("a_type_of_ones_own_and_long", "a_type_of_ones_ow…"),
    ],
)
def test_types_have_their_short_names(type_: str, shown: str) -> None:
    table = Table("t", (Column("a", type_, False), Column("b", type_, True)))
    assert names_of(table) == [("a", shown), ("b", f"{shown}?")]
