"""The graph of revisions: rows, lanes, and what is folded."""

import pytest

from alembic_boot.status_page.drawing.graph import MOST, graph, layers
from alembic_boot.status_page.report import Revision, RevisionStatus

PENDING = RevisionStatus.PENDING
APPLIED = RevisionStatus.APPLIED


def _history(text: str) -> list[Revision]:
    """Return revisions from words such as `merge:left,right`."""
    words = (word.partition(":") for word in text.split())
    return [
        Revision(it, "", tuple(filter(None, downs.split(","))), APPLIED) for it, _, downs in words
    ]


def _line(count: int, applied: int) -> list[Revision]:
    return [
        Revision(
            f"{it:05}",
            "",
            (f"{it - 1:05}",) if it else (),
            APPLIED if it < applied else PENDING,
            is_head=it == count - 1,
        )
        for it in range(count)
    ]


def _drawn(text: str) -> str:
    """Return the rows, newest first, each with its lane and the rows below."""
    drawn = graph(_history(text), ())
    names = [row.revisions[0].id for row in drawn.rows]
    return " ".join(
        f"{lane}{row.revisions[0].id}:{','.join(names[it] for it in row.below)}"
        for row, lane in zip(drawn.rows, drawn.lanes, strict=True)
    )


@pytest.mark.parametrize(
    ("history", "drawn"),
    [
        ("a b:a c:b", "0c:b 0b:a 0a:"),
        ("a b:a c:a", "0b:a 1c:a 0a:"),
        ("a b:a c:a d:b,c", "0d:b,c 0b:a 1c:a 0a:"),
        # Two histories of their own: the lane is free again.
        ("a x b:a", "0b:a 0a: 0x:"),
        # A long branch beside a short one.
        ("a b:a c:b d:a e:c,d", "0e:c,d 0c:b 0b:a 1d:a 0a:"),
        # A revision that is not there, and a circle.
        ("a b:gone c:b", "0c:b 1a: 0b:"),
        ("a:b b:a c:a", "0b:a 1c:a 0a:"),
        ("a:a", "0a:"),
    ],
)
def test_branches_have_lanes(history: str, drawn: str) -> None:
    assert _drawn(history) == drawn


def test_no_lane_is_crossed() -> None:
    """An edge bends right below its upper row, and then follows a lane that is its own."""
    drawn = graph(_history("a b:a c:a d:a e:b,c f:d g:e,f h:e i:h,g"), ())
    for number, row in enumerate(drawn.rows):
        for below in row.below:
            between = drawn.lanes[number + 1 : below]
            assert drawn.lanes[below] not in between


@pytest.mark.parametrize("count", [MOST + 1, 300, 5000])
def test_long_histories_are_folded(count: int) -> None:
    """The revisions around the current one are drawn; all others are counted."""
    current = count // 2
    drawn = graph(_line(count, applied=current + 1), {f"{current:05}"})
    rows = [row for row in drawn.rows if not row.is_folded]
    shown = {row.revisions[0].id for row in rows}
    assert len(rows) == MOST
    assert {f"{current - 3:05}", f"{current + 3:05}", f"{count - 1:05}"} <= shown
    assert sum(len(row.revisions) for row in drawn.rows) == count
    assert [row.below for row in drawn.rows[:-1]] == [
        (it + 1,) for it in range(len(drawn.rows) - 1)
    ]


def test_what_needs_attention_is_drawn() -> None:
    revisions = _line(500, applied=500)
    revisions[123] = Revision("00123", "", ("00122",), RevisionStatus.EDITED)
    drawn = graph(revisions, {"00499"})
    assert "00123" in {row.revisions[0].id for row in drawn.rows if not row.is_folded}


def test_layers_are_the_longest_ways() -> None:
    below = {"a": (), "b": ("a",), "c": ("b", "a"), "d": ("c", "gone")}
    assert layers(below) == {"a": 0, "b": 1, "c": 2, "d": 3}
