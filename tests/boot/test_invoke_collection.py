"""The commands as a collection of Invoke: the same flags, and the same exit statuses."""

from argparse import ArgumentParser
from typing import Any

import pytest
from invoke.context import Context

from alembic_boot import tasks
from alembic_boot.cli import _parser, parsed

commands: dict[str, ArgumentParser]
[commands] = [it.choices for it in _parser()._actions if isinstance(it.choices, dict)]

OF_ALL = {"config", "name", "more_x", "url", "help"}
"""What every command takes; a project says it once, when it makes the collection."""


def test_the_tasks_are_the_commands() -> None:
    """Each task has the flags of its command, and no others."""
    ns = tasks.collection()
    assert {
        name: {it.name.replace("-", "_").strip("_") for it in ns[name].get_arguments()}
        for name in ns.task_names
    } == {name: {it.dest for it in parser._actions} - OF_ALL for name, parser in commands.items()}


def test_each_flag_has_the_help_of_the_command() -> None:
    ns = tasks.collection()
    helps = {(name, it.name): it.help for name in ns.task_names for it in ns[name].get_arguments()}
    assert [it for it, text in helps.items() if not text] == []
    assert helps["migrate", "target"] == "the revision to go up to (default: head)"


def test_each_task_is_a_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every flag alone, and with what the command requires, is what the command gets."""
    typed: list[list[str]] = []
    monkeypatch.setattr(tasks, "main", typed.append)
    ns = tasks.collection(config="db/alembic.ini", name="two", x=["tenant=a"])
    for name, parser in commands.items():
        needed = {it.dest for it in parser._actions if it.required} - OF_ALL
        for action in parser._actions:
            if action.dest in OF_ALL:
                continue
            value: Any = True if action.const is True else [*(action.choices or "x")][-1]
            given = {**dict.fromkeys(needed, "x"), action.dest: value}
            ns[name].body(Context(), **given)
            arguments = parsed(typed.pop())
            found = getattr(arguments, action.dest)
            assert found == (["--", value] if name == "run" else value)
            assert (arguments.config, arguments.name, arguments.x) == (
                "db/alembic.ini",
                "two",
                ["tenant=a"],
            )


def test_the_words_of_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read as by a shell."""
    typed: list[list[str]] = []
    monkeypatch.setattr(tasks, "main", typed.append)
    tasks.collection()["run"].body(Context(), "sh -c 'exit 3'")
    assert typed == [["run", "--", "sh", "-c", "exit 3"]]
