"""The flags that several tasks share: what `-x`, `-n` and `--in` do with a task."""

from contextlib import nullcontext
from typing import Any

import pytest
from invoke.collection import Collection
from invoke.program import Program

import tasks
from alembic_boot import actions

ALEMBIC = ("-x", "a=1", "-x", "b=two words", "-n", "second")


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return what the tasks boot or run in a container, and do neither."""
    found: list[Any] = []

    def booting(*names: str, **overrides: str | None) -> nullcontext[None]:
        found.append((names, overrides))
        return nullcontext()

    monkeypatch.setattr(tasks, "_booting", booting)
    monkeypatch.setattr(tasks, "_run_inside", lambda *of, **flags: found.append((of, flags)))
    monkeypatch.setattr(actions, "migrate", lambda _boot, **flags: found.append(flags))
    return found


def inv(*words: str) -> None:
    Program(namespace=Collection.from_module(tasks)).run(["inv", *words], exit=False)


def test_here(seen: list[Any]) -> None:
    """The flags for env.py become variables; the others are the task's."""
    inv("migrate", "--target", "007", *ALEMBIC)
    variables = {"ALEMBIC_X": "a=1 'b=two words'", "ALEMBIC_NAME": "second"}
    assert seen == [
        (("migrate", "stdout"), {"MIGRATION_TARGET": "007", **variables}),
        {"dry_run": False, "sql": False},
    ]


def test_in_a_container(seen: list[Any]) -> None:
    """The same flags are typed there, without `--in`."""
    inv("migrate", "--in", "web", "--target", "007", "--dry-run", *ALEMBIC)
    flags = {"target": "007", "dry_run": True, "sql": False}
    assert seen == [
        (("web", "migrate"), {**flags, "x": ["a=1", "b=two words"], "n": "second"}),
    ]
