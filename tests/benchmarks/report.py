"""What was found, for people and for programs: a table, JSON, and plots of cost against growth."""

import json
import math
from collections.abc import Sequence
from html import escape
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks.figures import Figure, percentile

_COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2", "#e45756")

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP, _RIGHT = 640, 360, 60, 50, 40, 190


def rows(figure: Figure) -> list[tuple[str, str, str, str]]:
    """Return for each peer its name, its cost, its spread, and how often that of the first."""
    found = []
    for peer in figure.peers:
        if not peer.costs:
            found.append((peer.name, "failed", "", ""))
            continue
        ratio, least, most = figure.ratios(peer)
        spread = f"{_amount(min(peer.costs), figure)} to {_amount(max(peer.costs), figure)}"
        if len(peer.costs) >= 5:
            spread += f", p95 {_amount(percentile(peer.costs, 95), figure)}"
        times = "1" if peer is figure.base else f"{ratio:.2f} x ({least:.2f} to {most:.2f})"
        failed = f", {peer.failures} failed" if peer.failures else ""
        found.append((peer.name, _amount(peer.median, figure), spread, times + failed))
    return found


def table(figures: Sequence[Figure]) -> Table:
    """Return the table for a terminal."""
    shown = Table(title="Medians of alternating runs; each beside the first of its figure")
    for name in ("", "median", "spread", "ratio", "target for ours"):
        shown.add_column(name)
    for figure in figures:
        shown.add_row(f"[bold]{figure.title}", "", "", "", _targets(figure))
        for row in rows(figure):
            shown.add_row(f"  {row[0]}", *row[1:], "")
        shown.add_section()
    return shown


def markdown(figures: Sequence[Figure]) -> str:
    """Return the table for a README."""
    lines = ["| | median | spread | ratio |", "|---|---|---|---|"]
    for figure in figures:
        targets = f" ({_targets(figure)})" if figure.targets else ""
        lines.append(f"| **{figure.title}**{targets} | | | |")
        lines += [f"| {' | '.join(row)} |" for row in rows(figure)]
    return "\n".join(lines)


def as_json(figures: Sequence[Figure], machine: dict[str, Any]) -> str:
    """Return all runs of all peers."""
    return json.dumps(
        {
            "machine": machine,
            "figures": [
                {
                    "title": figure.title,
                    "unit": figure.unit,
                    "targets": [
                        {"peer": it.peer, "of": it.of, "most": it.most, "met": figure.is_met(it)}
                        for it in figure.targets
                    ],
                    "peers": [
                        {
                            "name": peer.name,
                            "costs": list(peer.costs),
                            "median": peer.median if peer.costs else None,
                            "ratio": figure.ratios(peer)[0] if peer.costs else None,
                            "failures": peer.failures,
                        }
                        for peer in figure.peers
                    ],
                }
                for figure in figures
            ],
        },
        indent=1,
    )


def plot(title: str, x_title: str, figures: Sequence[Figure]) -> str:
    """Return an SVG of the peers' medians against the figures' points, both on log scales."""
    series: dict[str, list[tuple[float, float]]] = {}
    for figure in figures:
        for peer in figure.peers:
            if peer.costs and figure.point:
                series.setdefault(peer.name, []).append((float(figure.point), peer.median))
    points = [point for line in series.values() for point in line]
    x_scale = _Scale([x for x, _ in points], _LEFT, _WIDTH - _RIGHT)
    y_scale = _Scale([y for _, y in points], _HEIGHT - _BOTTOM, _TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="22" font-size="15">{escape(title)}</text>',
        f'<text x="{_LEFT}" y="{_HEIGHT - 10}">{escape(x_title)}</text>',
    ]
    for count in sorted({x for x, _ in points}):
        at = x_scale(count)
        text = f'<text x="{at:.0f}" y="{_HEIGHT - 32}" text-anchor="middle">'
        parts.append(f"{text}{count:,.0f}</text>")
    for tick in y_scale.ticks():
        at = y_scale(tick)
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at:.0f}" y2="{at:.0f}" stroke="#ddd"/>'
            f'<text x="{_LEFT - 6}" y="{at + 4:.0f}" text-anchor="end">{tick:g} s</text>'
        )
    for number, (name, line) in enumerate(series.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        path = " ".join(f"{x_scale(x):.0f},{y_scale(y):.0f}" for x, y in line)
        width = 3 if name.startswith("inv") else 1.5
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>'
        )
        y = _TOP + 14 + 18 * number
        parts.append(
            f'<text x="{_WIDTH - _RIGHT + 12}" y="{y}" fill="{colour}">{escape(name)}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])


class _Scale:
    """Where a value is on an axis of powers."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        positive = [value for value in values if value > 0] or [1.0]
        self._low, self._high = math.log(min(positive)), math.log(max(positive))
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        span = (self._high - self._low) or 1.0
        part = (math.log(max(value, 1e-9)) - self._low) / span
        return self._start + part * (self._end - self._start)

    def ticks(self) -> list[float]:
        """Return round values within the scale."""
        steps = [base * 10.0**power for power in range(-4, 4) for base in (1, 2, 5)]
        return [it for it in steps if self._low <= math.log(it) <= self._high]


def show(figures: Sequence[Figure]) -> None:
    """Print the table."""
    Console().print(table(figures))


def _targets(figure: Figure) -> str:
    """Return what is aimed at, each with whether it was met."""
    said = []
    for target in figure.targets:
        amount = _amount(target.most, figure)
        text = {
            "ratio": f"≤ {target.most:g} x",
            "median": f"≤ {amount}",
            "p95": f"p95 ≤ {amount}",
            "failures": "no failure",
        }[target.of]
        said.append(f"{text} {'✓' if figure.is_met(target) else '✗'}")
    return ", ".join(said)


def _amount(cost: float, figure: Figure) -> str:
    if figure.unit == "MB":
        return f"{cost:.0f} MB"
    if cost >= 1:
        return f"{cost:.2f} s"
    return f"{cost * 1000:.0f} ms" if cost >= 0.01 else f"{cost * 1000:.2g} ms"
