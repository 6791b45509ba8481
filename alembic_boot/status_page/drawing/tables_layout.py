"""Places for tables and the lines between them: columns of boxes, with room for lines between.

A line never crosses a box. It runs in the gaps between columns, and above all boxes if it passes a
column. Lines to one table share their way.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from alembic_boot.status_page.drawing.graph import layers
from alembic_boot.status_page.drawing.texts import shortened, width_of
from alembic_boot.status_page.report import ForeignKey, Table

MOST_TABLES = 60
MOST_COLUMNS = 14
LINE = 19
HEAD = 28

_TALLEST = 960
_FEWEST_COLUMNS = 4
_SPACE = 22
_TRACK = 7
_NAME = 7.4
"""The width of a letter; those of types are smaller."""
_TYPE = 6.8


@dataclass(frozen=True)
class Box:
    """A table with its place."""

    table: Table
    x: float
    y: float
    width: float
    height: float

    def middle(self, columns: Sequence[str]) -> float:
        """Return the middle of the first of these columns; of the head, if it is not drawn."""
        names = [it.name for it in self.table.columns[:MOST_COLUMNS]]
        rows = [names.index(it) for it in columns[:1] if it in names]
        return self.y + (HEAD + LINE * (rows[0] + 0.5) if rows else HEAD / 2)


@dataclass(frozen=True)
class Line:
    """A reference: its points, and a number that all lines to one table share."""

    points: tuple[tuple[float, float], ...]
    group: int


@dataclass(frozen=True)
class Layout:
    """Everything with its place."""

    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    width: float
    height: float


def layout(tables: Sequence[Table]) -> Layout:
    """Return the places of the tables, the first MOST_TABLES of them."""
    by_name = {it.name: it for it in tables[:MOST_TABLES]}
    columns = _columns(by_name)
    column_of = {name: i for i, names in enumerate(columns) for name in names}
    ways = [
        (name, key)
        for name, table in by_name.items()
        for key in table.foreign_keys
        if key.to_table in by_name
    ]
    tracks = _Tracks()
    routes = [
        tracks.route(column_of[it], column_of[key.to_table], key.to_table) for it, key in ways
    ]
    boxes = _boxes(by_name, columns, tracks)
    # Each gap begins where a column ends; the first one, at the left end of all.
    gaps = [0.0, *(boxes[it[0]].x + boxes[it[0]].width for it in columns)]
    groups = list(dict.fromkeys(key.to_table for _, key in ways))
    lines = tuple(
        Line(_points(boxes[it], boxes[key.to_table], key, route, gaps), groups.index(key.to_table))
        for (it, key), route in zip(ways, routes, strict=True)
    )
    width = max(it.x + it.width for it in boxes.values()) + _SPACE + tracks.width(len(columns))
    height = max(it.y + it.height for it in boxes.values()) + _SPACE
    return Layout(tuple(boxes.values()), lines, width, height)


def height_of(table: Table) -> float:
    """Return the height of a table's box."""
    shown = min(len(table.columns), MOST_COLUMNS) + (len(table.columns) > MOST_COLUMNS)
    return HEAD + LINE * shown + 6


def names_of(table: Table) -> list[tuple[str, str]]:
    """Return the names and types of the columns that are drawn, as they are written."""
    return [
        (shortened(it.name, 26), shortened(_short(it.type), 18) + ("?" if it.is_nullable else ""))
        for it in table.columns[:MOST_COLUMNS]
    ]


def _short(type_: str) -> str:
    """Return a type by its shorter name, which PostgreSQL knows as well."""
    type_ = type_.replace("character varying", "varchar").removesuffix(" without time zone")
    return type_.removesuffix(" with time zone") + "tz" * type_.endswith(" with time zone")


def _width_of(table: Table) -> float:
    head = width_of(shortened(table.name, 30)) * 8 + 96 * table.differs
    rows = (width_of(name) * _NAME + width_of(type_) * _TYPE for name, type_ in names_of(table))
    return max(head + 24, max(rows, default=0) + 64, 150)


def _columns(tables: Mapping[str, Table]) -> list[list[str]]:
    """Return the names of each column: what is referenced stands to the left."""
    below = {
        name: [it.to_table for it in table.foreign_keys if it.to_table in tables]
        for name, table in tables.items()
    }
    referenced = {it for downs in below.values() for it in downs}
    linked = {name: downs for name, downs in below.items() if downs or name in referenced}
    layer = layers(linked)
    columns: list[list[str]] = []
    for number in range(max(layer.values(), default=-1) + 1):
        names = [it for it, its in layer.items() if its == number]
        columns += _split(sorted(names, key=lambda it: _beside(below[it], columns)), tables)
    columns += [[] for _ in range(_FEWEST_COLUMNS - len(columns))]
    for name in tables:
        if name not in linked:
            min(columns, key=lambda it: _height(it, tables)).append(name)
    return [it for it in columns if it]


def _beside(downs: Sequence[str], columns: Sequence[Sequence[str]]) -> float:
    """Return the mean height of what a table references, so that lines are short."""
    rows = [names.index(it) for names in columns for it in downs if it in names]
    return sum(rows) / len(rows) if rows else 0


def _split(names: Sequence[str], tables: Mapping[str, Table]) -> list[list[str]]:
    columns: list[list[str]] = [[]]
    for name in names:
        if columns[-1] and _height([*columns[-1], name], tables) > _TALLEST:
            columns.append([])
        columns[-1].append(name)
    return columns


def _height(names: Sequence[str], tables: Mapping[str, Table]) -> float:
    return sum(height_of(tables[it]) + _SPACE for it in names)


class _Tracks:
    """The tracks of the gaps, and those above the boxes: one for each table that is led to."""

    def __init__(self) -> None:
        self._gaps: dict[int, list[str]] = defaultdict(list)
        self.above: list[str] = []

    def route(self, column: int, to: int, name: str) -> tuple[tuple[int, int], ...]:
        """Return the gaps of a line and its tracks there, and its track above if it needs one."""
        leaves, arrives = (column, to + 1) if to < column else (column + (to > column), to)
        if leaves == arrives:
            return ((leaves, self._track(self._gaps[leaves], name)),)
        return (
            (leaves, self._track(self._gaps[leaves], name)),
            (-1, self._track(self.above, name)),
            (arrives, self._track(self._gaps[arrives], name)),
        )

    def width(self, gap: int) -> float:
        """Return the width that the tracks of a gap need."""
        return _TRACK * len(self._gaps[gap])

    @staticmethod
    def _track(names: list[str], name: str) -> int:
        if name not in names:
            names.append(name)
        return names.index(name)


def _boxes(
    tables: Mapping[str, Table], columns: Sequence[Sequence[str]], tracks: _Tracks
) -> dict[str, Box]:
    boxes = {}
    x, top = 0.0, _SPACE / 2 + _TRACK * len(tracks.above)
    for number, names in enumerate(columns):
        x += _SPACE + tracks.width(number)
        width = max(_width_of(tables[it]) for it in names)
        y = top
        for name in names:
            boxes[name] = Box(tables[name], x, y, width, height_of(tables[name]))
            y += boxes[name].height + _SPACE
        x += width
    return boxes


def _points(
    box: Box, to: Box, key: ForeignKey, route: Sequence[tuple[int, int]], gaps: Sequence[float]
) -> tuple[tuple[float, float], ...]:
    y, to_y = box.middle(key.columns), to.middle(key.to_columns)
    xs = [gaps[gap] + _SPACE / 2 + _TRACK * track for gap, track in route if gap >= 0]
    begin = box.x if xs[0] < box.x else box.x + box.width
    end = to.x if xs[-1] < to.x else to.x + to.width
    above = [_SPACE / 2 + _TRACK * (track - 1) for gap, track in route if gap < 0]
    corners = [(xs[0], y), *((x, above[0]) for x in xs if above), (xs[-1], to_y)]
    return ((begin, y), *corners, (end, to_y))
