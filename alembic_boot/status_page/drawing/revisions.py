"""The section of the revisions: their graph as SVG, and the same as a table."""

from collections import Counter
from collections.abc import Sequence

from alembic_boot.status_page.drawing.graph import Graph, Row, graph
from alembic_boot.status_page.drawing.icons import icon, shape
from alembic_boot.status_page.drawing.parts import (
    Html,
    element,
    empty_section,
    joined,
    linked,
    phase_of,
    scrolling,
    section,
    table,
)
from alembic_boot.status_page.drawing.texts import Words, shortened
from alembic_boot.status_page.report import Report, Revision
from alembic_boot.status_page.requests import revision_link

_COLUMNS = ("revision", "title_column", "status", "phase", "below")

_ROW = 46
_LANE = 24
_LEFT = 15
_TEXT = 330
"""The width of the texts beside the lanes."""


def revisions_section(report: Report, words: Words) -> Html:
    """Return the section of the revisions."""
    if not report.revisions:
        return empty_section("revisions", words, report.revisions)
    named = {*report.current, *((report.target,) if report.target else ())}
    drawn = graph(report.revisions, named)
    rows = (_table_row(it.revisions[0], words) for it in drawn.rows if not it.is_folded)
    as_table = element(
        "details",
        element("summary", words("as_table")),
        scrolling(table(words, "revisions_caption", _COLUMNS, rows), words("revisions_caption")),
        id="revisions-table",
    )
    picture = scrolling(_picture(drawn, report.revisions, words), words("graph_title"))
    return section("revisions", words, picture, as_table)


def _picture(drawn: Graph, all_: Sequence[Revision], words: Words) -> Html:
    left = _LEFT * 2 + 4 + max(drawn.lanes) * _LANE
    width, height = left + _TEXT, len(drawn.rows) * _ROW
    desc = words("graph_desc", count=len(all_), counts=_counts(all_, words))
    return element(
        "svg",
        element("title", words("graph_title"), id="graph-title"),
        element("desc", desc, id="graph-desc"),
        element("g", *_edges(drawn), class_="edges", aria_hidden="true"),
        *(
            _row(row, _point(drawn, number), (left, width), words)
            for number, row in enumerate(drawn.rows)
        ),
        class_="graph",
        role="group",
        aria_labelledby="graph-title graph-desc",
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
    )


def _point(drawn: Graph, row: int) -> tuple[int, int]:
    return _LEFT + drawn.lanes[row] * _LANE, row * _ROW + _ROW // 2


def _edges(drawn: Graph) -> list[Html]:
    paths = []
    for number, row in enumerate(drawn.rows):
        for below in row.below:
            (x, y), (to_x, to_y) = _point(drawn, number), _point(drawn, below)
            half = _ROW // 2
            bend = "" if x == to_x else f"C{x} {y + half} {to_x} {y + half} {to_x} {y + _ROW}"
            is_folded = row.is_folded or drawn.rows[below].is_folded
            kind = "edge folded" if is_folded else "edge"
            paths.append(element("path", class_=kind, d=f"M{x} {y}{bend}V{to_y}"))
    return paths


def _row(row: Row, point: tuple[int, int], span: tuple[int, int], words: Words) -> Html:
    (x, y), (left, width) = point, span
    if row.is_folded:
        text = words("folded", counts=_counts(row.revisions, words))
        dots = element("path", class_="dots", d=f"M{x} {y - 6}v.1m0 6v.1m0 6v.1")
        return joined(dots, element("text", text, class_="muted", x=left, y=y + 4))
    revision = row.revisions[0]
    tags = [words(revision.status), phase_of(revision.phase, words), *revision.labels]
    tags += [words("head")] if revision.is_head else []
    name = shortened(revision.id, 24)
    tag = shortened(" · ".join(it for it in tags if it), 44 - len(name))
    return element(
        "a",
        element("title", f"{revision.id} {revision.title}"),
        element("rect", class_="hit", x=1, y=y - 21, width=width - 2, height=_ROW - 4, rx=6),
        shape(revision.status, x, y),
        element(
            "text",
            element("tspan", name, class_="id"),
            " ",
            element("tspan", tag, class_="muted", dx=4),
            x=left,
            y=y - 3 if revision.title else y + 5,
        ),
        element("text", shortened(revision.title, 44), x=left, y=y + 14)
        if revision.title
        else None,
        href=revision_link(revision.id, words.language),
        id=f"node-{revision.id}",
        aria_label=f"{revision.id} {revision.title} ({words(revision.status)})",
    )


def _counts(revisions: Sequence[Revision], words: Words) -> str:
    counts = Counter(it.status for it in revisions)
    parts = (words("count_of", count=n, status=words(it)) for it, n in counts.items())
    return ", ".join(parts)


def _table_row(revision: Revision, words: Words) -> Html:
    return element(
        "tr",
        element("th", linked(revision.id, words), scope="row"),
        element("td", revision.title),
        element("td", icon(revision.status), " ", words(revision.status)),
        element("td", phase_of(revision.phase, words)),
        element("td", ", ".join(revision.down)),
    )
