"""The journal as a table for people: one line per row, repeated failures folded into one."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

_TITLES = ("started", "direction", "revision", "phase", "result", "took", "host, process")

_LONGEST = 44
"""Characters of a revision with its title; the rest is cut off."""

Row = Mapping[str, Any]


def journal_table(rows: Sequence[Row], labels: Mapping[str, str], shown: int) -> list[str]:
    """Return the lines for rows of the journal, newest first, below a line of titles.

    `labels` are the revisions with their titles. At most `shown` lines follow the titles; without
    rows there are no lines.
    """
    folded = _folded(rows)[:shown]
    if not folded:
        return []
    cells = [_TITLES, *(_cells(group, labels) for group in folded)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]
    errors = ["", *(_error(group[0]) for group in folded)]
    return [line + error for line, error in zip(lines, errors, strict=True)]


def took(milliseconds: int) -> str:
    """Return a duration for people."""
    seconds = milliseconds / 1000
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _folded(rows: Sequence[Row]) -> list[list[Row]]:
    """Return the rows in groups: failures of a revision that follow each other with one error."""
    groups: list[list[Row]] = []
    for row in rows:
        if groups and row["status"] == "failed" and _failure(groups[-1][0]) == _failure(row):
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups


def _failure(row: Row) -> tuple[str, ...]:
    return (row["status"], row["direction"], row["revision"], _error(row))


def _cells(group: Sequence[Row], labels: Mapping[str, str]) -> tuple[str, ...]:
    row = group[0]
    times = "" if len(group) == 1 else f" {len(group)} times"
    return (
        _time(row["started_at"]),
        row["direction"],
        _cut(labels.get(row["revision"], row["revision"])),
        row["phase"] or "-",
        row["status"] + times,
        "-" if row["duration_ms"] is None else took(row["duration_ms"]),
        f"{row['host']}, {row['pid']}",
    )


def _time(text: str | None) -> str:
    """Return a time as the log has it; None is one that cannot be read."""
    if text is None:
        return "-"
    return datetime.fromisoformat(text).astimezone().isoformat(" ", "seconds")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _error(row: Row) -> str:
    return f": {row['error'].splitlines()[0]}" if row["error"] else ""
