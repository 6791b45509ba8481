"""The commands as a collection of Invoke: the same flags, and the same exit statuses."""

from collections.abc import Callable

import pytest
from invoke.context import Context

from alembic_boot import tasks
from alembic_boot.cli import _parser


def test_each_task_is_a_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every flag of every task is one that the command takes."""
    typed: list[list[str]] = []
    monkeypatch.setattr(tasks, "main", typed.append)
    ns = tasks.collection(config="db/alembic.ini", name="two", x=["tenant=a"])
    for name in ns.task_names:
        flags = {it.name: "x" if it.kind is str else True for it in ns[name].get_arguments()}
        body: Callable[..., None] = ns[name].body
        for flag, value in flags.items():
            required = {it: "x" for it in ("message",) if it in flags}
            required |= {"revision": "x"} if name == "stamp" else {}
            body(Context(), **{**required, flag: value})
        body(Context(), **({it: "x" for it in flags if name in ("stamp", "revision", "merge")}))
    for argv in typed:
        arguments = _parser().parse_args(argv)
        assert (arguments.config, arguments.name, arguments.x) == (
            "db/alembic.ini",
            "two",
            ["tenant=a"],
        )
