"""Long work shows how far it is: a live line at a terminal, else a line now and then."""

import sys
from dataclasses import replace
from functools import partial
from io import StringIO
from typing import Any

import pytest

from alembic_boot.output.progress import live_line, running_line, step_by_step
from alembic_boot.situation import Build, Situation
from tests.scenarios.process import matches
from tests.waiting import wait_until

NOW = 5000.0


def test_lines_for_a_log() -> None:
    """A line names the step that runs, again and again."""
    said: list[tuple[int, int, str]] = []

    def say(number: int, of: int, title: str) -> None:
        said.append((number, of, title))

    with step_by_step(3, say, after=0.001, every=0.001) as begin:
        for number, title in enumerate(("a", "b"), 1):
            begin(title)
            wait_until(partial(said.__contains__, (number, 3, title)))
    assert said == sorted(said)


def test_quick_work_says_nothing() -> None:
    said: list[tuple[int, int, str]] = []
    with step_by_step(1, lambda *it: said.append(it)) as begin:
        begin("a")
    assert said == []


class Terminal(StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Return True."""
        return True


def at_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Return the terminal that this test writes to from here on."""
    made = Terminal()
    monkeypatch.setattr(sys, "stdout", made)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    return made


def test_a_live_line_for_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the place of the lines, and is gone in the end."""
    terminal, said = at_terminal(monkeypatch), list[tuple[int, int, str]]()
    with step_by_step(2, lambda *it: said.append(it), after=0, every=0.001) as begin:
        begin("001 Users")
        begin("002 Books")
        wait_until(lambda: "002 Books  (2 of 2)  0:00" in terminal.getvalue())
    assert terminal.getvalue().endswith("\x1b[2K")
    assert said == []


def test_the_log_stays_whole_above_the_live_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The live line is cut where the terminal ends, and an inner one is not shown."""
    terminal = at_terminal(monkeypatch)
    with live_line(lambda: 100 * "x", after=0), live_line(lambda: "inner", after=0):
        wait_until(lambda: 59 * "x" + "…" in terminal.getvalue())
        sys.stdout.write(100 * "a" + "\n")
    assert 100 * "a" + "\n" in terminal.getvalue()
    assert "inner" not in terminal.getvalue()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "003 Titles  (2 of 8)  0:31"),
        ({"revision": None}, ""),
        ({"revision_began_at": NOW - 3723}, "003 Titles  (2 of 8)  1:02:03"),
        ({"build": Build("i", "sorting", 0, 0)}, "… 0:31  building i (sorting)"),
        ({"build": Build("i", "loading", 2, 3)}, "… 0:31  building i (loading, 66 %)"),
        (
            {"blocked_by": "backend 123 (moriai)", "blocked_since": NOW - 12.9},
            "… 0:31  blocked for 12 s by backend 123 (moriai)",
        ),
        ({"revision": "x postgresql://me:secret@host/"}, "x postgresql://me:***@host/  (2 …"),
    ],
)
def test_the_line_of_a_revision(changes: dict[str, Any], expected: str) -> None:
    running = Situation(0, revision="003 Titles", revision_began_at=NOW - 31.5, done=1, of=8)
    assert matches(running_line(replace(running, **changes), NOW), expected)
