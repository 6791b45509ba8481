"""Long work shows how far it is: a bar at a terminal, else a line now and then."""

import sys
from functools import partial
from io import StringIO

import pytest

from alembic_boot.progress import step_by_step
from tests.waiting import wait_until


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


def test_a_bar_for_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar takes the place of the lines."""

    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    said: list[tuple[int, int, str]] = []
    with step_by_step(2, lambda *it: said.append(it), after=0, every=0.001) as begin:
        begin("001 Users")
        begin("002 Books")
    assert "1/2" in terminal.getvalue()
    assert "002 Books" in terminal.getvalue()
    assert said == []
