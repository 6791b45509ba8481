"""The journal as a table for people."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from alembic_boot.migration.journal_table import journal_table, took

LABELS = {"001": "001 Users", "002": "002 Books with pages"}


@pytest.fixture(autouse=True)
def in_seoul(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let this process be in a time zone that is not UTC."""
    monkeypatch.setenv("TZ", "Asia/Seoul")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def row(revision: str, status: str = "applied", **others: object) -> Mapping[str, Any]:
    return {
        "revision": revision,
        "direction": "upgrade",
        "phase": "expand",
        "status": status,
        "started_at": "2026-11-30T18:00:08.123456+00:00",
        "duration_ms": 19,
        "error": None,
        "host": "laptop",
        "pid": 7,
        **others,
    }


def test_no_rows() -> None:
    assert journal_table([], LABELS, 5) == []


def test_a_table() -> None:
    """Each line is one row, with the title, the time zone and an error's first line."""
    rows = [
        row("003", "running", duration_ms=None, phase=None),
        row("002", "failed", duration_ms=1530, error="LockNotAvailable: no\nmore", pid=8),
        row("002", "failed", duration_ms=2500, error="LockNotAvailable: no\nmore", pid=9),
        row("001", direction="downgrade"),
    ]
    assert journal_table(rows, LABELS, 5) == [
        "started                    direction  revision              phase   result          took"
        "   host, process",
        "2026-12-01 03:00:08+09:00  upgrade    003                   -       running         -"
        "      laptop, 7",
        "2026-12-01 03:00:08+09:00  upgrade    002 Books with pages  expand  failed 2 times  1.5 s"
        "  laptop, 8: LockNotAvailable: no",
        "2026-12-01 03:00:08+09:00  downgrade  001 Users             expand  applied         19 ms"
        "  laptop, 7",
    ]


FAILED = row("002", "failed", error="no")


@pytest.mark.parametrize(
    ("rows", "results"),
    [
        ([FAILED] * 3, ["failed 3 times"]),
        ([FAILED, {**FAILED, "error": "yes"}, FAILED], ["failed", "failed", "failed"]),
        ([FAILED, {**FAILED, "revision": "001"}], ["failed", "failed"]),
        ([FAILED, {**FAILED, "direction": "downgrade"}], ["failed", "failed"]),
        ([FAILED, row("002"), FAILED], ["failed", "applied", "failed"]),
        ([row("002"), row("002")], ["applied", "applied"]),
        ([row("002"), FAILED, FAILED, row("001")], ["applied", "failed 2 times", "applied"]),
    ],
)
def test_repeated_failures(rows: list[Mapping[str, Any]], results: list[str]) -> None:
    """Only failures with one cause, of one revision, are folded."""
    titles, *lines = journal_table(rows, {}, 5)
    column = slice(titles.index("result"), titles.index("took"))
    assert [line[column].strip() for line in lines] == results


def test_a_long_title_is_cut() -> None:
    labels = {"001": "001 " + "x" * 60}
    assert f"  001 {'x' * 39}…  expand  " in journal_table([row("001")], labels, 5)[1]


def test_only_so_many_lines() -> None:
    """Folded rows count as one line."""
    lines = journal_table([FAILED] * 4 + [row("001")] * 4, LABELS, 2)
    assert [("failed 4 times" in line, "applied" in line) for line in lines] == [
        (False, False),
        (True, False),
        (False, True),
    ]


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1000, "1.0 s"),
        (59_949, "59.9 s"),
        (59_960, "1 min 0 s"),
        (95_000, "1 min 35 s"),
        (7_260_000, "2 h 1 min"),
    ],
)
def test_durations(milliseconds: int, expected: str) -> None:
    assert took(milliseconds) == expected
