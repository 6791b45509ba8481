"""`inv --help TASK`, for each task: what people read before they type anything else."""

import re

import pytest
from invoke.collection import Collection
from invoke.program import Program

import tasks

TASKS = sorted(
    [
        *tasks.ns.task_names,
        *(f"ci.{name}" for name in tasks.ns.collections["ci"].task_names),
    ]
)


@pytest.mark.parametrize("task", TASKS)
def test_help(capsys: pytest.CaptureFixture[str], task: str) -> None:
    """It explains the task and each of its flags; the short ones are Alembic's alone."""
    program = Program(namespace=Collection.from_module(tasks))
    program.run(["inv", "--help", task], exit=False)
    text, complaints = capsys.readouterr()
    assert complaints == ""
    docstring, _, options = text.partition("Docstring:\n")[2].partition("Options:\n")
    assert re.match(r"  [A-Z].*\.$", docstring.strip("\n"), re.S)
    flags = re.split(r"\n(?=  -)", options.strip("\n"))
    if flags == ["  none"]:
        return
    for flag in flags:
        assert re.fullmatch(r"  (--[a-z-]+(=STRING)?|-n STRING|-x)\s+[A-Z].*\.", flag, re.S), flag
