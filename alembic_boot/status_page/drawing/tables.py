"""The section of the tables: an ER picture as SVG, the differences, and the same as a table."""

from collections.abc import Sequence

from alembic_boot.status_page.drawing.icons import icon, shape
from alembic_boot.status_page.drawing.parts import (
    Html,
    as_it_is,
    element,
    empty_section,
    joined,
    scrolling,
    section,
    table,
)
from alembic_boot.status_page.drawing.tables_layout import (
    HEAD,
    LINE,
    MOST_COLUMNS,
    MOST_TABLES,
    Box,
    Layout,
    Line,
    layout,
    names_of,
)
from alembic_boot.status_page.drawing.texts import Words, shortened
from alembic_boot.status_page.report import Report, Table

_COLOURS = 6
_HEADS = ("table", "columns", "references", "status")


def tables_section(report: Report, words: Words) -> Html:
    """Return the section of the tables."""
    if not report.tables:
        return empty_section("tables", words, report.tables)
    tables = sorted(report.tables, key=lambda it: (not it.differs, it.name))
    more = len(tables) - MOST_TABLES
    rows = (_table_row(it, words) for it in tables[:MOST_TABLES])
    return section(
        "tables",
        words,
        _differences(report.differences, words),
        scrolling(_picture(layout(tables), report.tables, words), words("er_title")),
        element("p", words("er_legend"), class_="muted"),
        element("p", words("more_tables", count=more), class_="muted") if more > 0 else None,
        element(
            "details",
            element("summary", words("as_table")),
            scrolling(table(words, "tables_caption", _HEADS, rows), words("tables_caption")),
            id="tables-table",
        ),
    )


def _differences(differences: Sequence[str], words: Words) -> Html | None:
    if not differences:
        return None
    return joined(
        element("h3", icon("differs"), " ", words("differences")),
        element("ul", *(as_it_is(it, "li") for it in differences)),
    )


def _picture(placed: Layout, tables: Sequence[Table], words: Words) -> Html:
    desc = words(
        "er_desc",
        count=len(tables),
        references=sum(len(it.foreign_keys) for it in tables),
        differing=sum(it.differs for it in tables),
    )
    return element(
        "svg",
        element("title", words("er_title"), id="er-title"),
        element("desc", desc, id="er-desc"),
        *(_box(it, words) for it in placed.boxes),
        *(_line(it) for it in placed.lines),
        class_="er",
        role="img",
        aria_labelledby="er-title er-desc",
        viewBox=f"0 0 {placed.width:.0f} {placed.height:.0f}",
        width=f"{placed.width:.0f}",
        height=f"{placed.height:.0f}",
    )


def _box(box: Box, words: Words) -> Html:
    table, right = box.table, box.width - 10
    more = len(table.columns) - MOST_COLUMNS
    width = f"{box.width:.0f}"
    return element(
        "g",
        element("rect", class_="body", width=width, height=f"{box.height:.0f}", rx=6),
        element("rect", class_="head", width=width, height=HEAD, rx=6),
        element("text", shortened(table.name, 30), class_="name", x=10, y=18),
        joined(
            shape("differs", right - 6, 14),
            element("text", words("differs"), class_="warn word", x=right - 20, y=18),
        )
        if table.differs
        else None,
        *_columns(table, right),
        element("text", words("more_columns", count=more), class_="muted", x=36, y=_y(MOST_COLUMNS))
        if more > 0
        else None,
        class_="table differs" if table.differs else "table",
        transform=f"translate({box.x:.0f} {box.y:.0f})",
    )


def _y(row: int) -> int:
    return HEAD + LINE * row + 14


def _columns(table: Table, right: float) -> list[Html]:
    foreign = {name for key in table.foreign_keys for name in key.columns}
    drawn = []
    for row, (column, (name, type_)) in enumerate(
        zip(table.columns, names_of(table), strict=False)
    ):
        key = "PK" if column.is_primary_key else "FK" if column.name in foreign else ""
        drawn.append(element("text", key, class_="key", x=10, y=_y(row)) if key else Html())
        drawn.append(element("text", name, x=36, y=_y(row)))
        drawn.append(element("text", type_, class_="type", x=f"{right:.0f}", y=_y(row)))
    return drawn


def _line(line: Line) -> Html:
    (x, y), *rest = line.points
    (before, _), (end_x, end_y) = line.points[-2:]
    back = 6 if before > end_x else -6
    way = "".join(f"L{x:.0f} {y:.1f}" for x, y in rest)
    return element(
        "g",
        element("path", class_="edge", d=f"M{x:.0f} {y:.1f}{way}"),
        element("circle", cx=f"{x:.0f}", cy=f"{y:.1f}", r=3),
        element("path", class_="tip", d=f"M{end_x:.0f} {end_y:.1f}l{back}-4v8z"),
        class_=f"line c{line.group % _COLOURS}",
    )


def _table_row(its: Table, words: Words) -> Html:
    columns = (
        f"{it.name} {it.type}{'?' if it.is_nullable else ''}{' PK' if it.is_primary_key else ''}"
        for it in its.columns
    )
    references = (
        f"{', '.join(it.columns)} → {it.to_table} ({', '.join(it.to_columns)})"
        for it in its.foreign_keys
    )
    return element(
        "tr",
        element("th", element("code", its.name), scope="row"),
        element("td", ", ".join(columns)),
        element("td", "; ".join(references)),
        element("td", words("differs") if its.differs else None),
    )
