"""The revisions as rows, newest on top, with a lane for each branch."""

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from alembic_boot.status_page.report import Revision, RevisionStatus

MOST = 24
"""Revisions that are drawn; the others are counted."""


@dataclass(frozen=True)
class Row:
    """A revision, or several that are not drawn."""

    revisions: tuple[Revision, ...]
    is_folded: bool
    below: tuple[int, ...]
    """The rows of the revisions below."""


@dataclass(frozen=True)
class Graph:
    """Rows, each with its lane. An edge follows the lane of its lower row."""

    rows: tuple[Row, ...]
    lanes: tuple[int, ...]


def graph(revisions: Sequence[Revision], named: Collection[str]) -> Graph:
    """Return the graph around the revisions that are named, and those that need attention."""
    rows = _rows(_newest_first(revisions), named)
    return Graph(rows, _lanes(rows))


def layers(below: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Return the length of each node's longest way down.

    Names that are no nodes do not count. A circle is opened at one of its nodes.
    """
    open_: dict[str, set[str]] = {}
    above: dict[str, list[str]] = defaultdict(list)
    for key, downs in below.items():
        open_[key] = {it for it in downs if it in below and it != key}
        for down in open_[key]:
            above[down].append(key)
    found: dict[str, int] = {}
    ready = deque(key for key, downs in open_.items() if not downs)
    while len(found) < len(below):
        if not ready:
            ready.append(
                min((it for it in open_ if it not in found), key=lambda it: len(open_[it]))
            )
        key = ready.popleft()
        if key in found:
            continue
        found[key] = 1 + max((found[it] for it in below[key] if it in found), default=-1)
        for up in above[key]:
            open_[up].discard(key)
            if not open_[up]:
                ready.append(up)
    return found


def _newest_first(revisions: Sequence[Revision]) -> list[Revision]:
    layer = layers({it.id: it.down for it in revisions})
    unique = {it.id: it for it in revisions}.values()
    return sorted(unique, key=lambda it: (-layer[it.id], it.id))


def _rows(ordered: Sequence[Revision], named: Collection[str]) -> tuple[Row, ...]:
    drawn = _drawn(ordered, named)
    groups: list[tuple[bool, tuple[Revision, ...]]] = []
    for revision in ordered:
        is_folded = revision.id not in drawn
        if groups and is_folded and groups[-1][0]:
            groups[-1] = (True, (*groups[-1][1], revision))
        else:
            groups.append((is_folded, (revision,)))
    row_of = {it.id: row for row, (_, run) in enumerate(groups) for it in run}
    return tuple(
        Row(run, is_folded, tuple(sorted(_below(row, run, row_of))))
        for row, (is_folded, run) in enumerate(groups)
    )


def _below(row: int, run: Iterable[Revision], row_of: dict[str, int]) -> set[int]:
    rows = {row_of[down] for it in run for down in it.down if down in row_of}
    return {it for it in rows if it > row}  # else a circle


def _drawn(ordered: Sequence[Revision], named: Collection[str]) -> set[str]:
    """Return the revisions to draw: those that tell something, and their neighbours."""
    if len(ordered) <= MOST:
        return {it.id for it in ordered}
    usual = (RevisionStatus.APPLIED, RevisionStatus.PENDING)
    telling = [
        row
        for row, it in enumerate(ordered)
        if it.id in named or it.is_head or it.status not in usual
    ][:MOST] or [0]
    distance = {row: min(abs(row - it) for it in telling) for row in range(len(ordered))}
    return {ordered[row].id for row in sorted(distance, key=lambda it: (distance[it], it))[:MOST]}


def _lanes(rows: Sequence[Row]) -> tuple[int, ...]:
    """Return the lane of each row. A lane that has led to its row is free again."""
    lanes: list[int] = []
    leads_to: list[int | None] = []
    for number, row in enumerate(rows):
        lane = leads_to.index(number) if number in leads_to else _free(leads_to)
        leads_to[lane] = None
        lanes.append(lane)
        for below in row.below:
            if below not in leads_to:
                free = lane if leads_to[lane] is None else _free(leads_to)
                leads_to[free] = below
    return tuple(lanes)


def _free(leads_to: list[int | None]) -> int:
    """Return the first lane that leads nowhere."""
    if None not in leads_to:
        leads_to.append(None)
    return leads_to.index(None)
