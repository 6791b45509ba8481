"""What a task prints as data, beside whatever else a process writes."""

import subprocess
import sys
from textwrap import dedent

import pytest

NOISY = """
import os, subprocess, sys
from backend.boot.output import prepare_streams, show
print("before")
prepare_streams(for_data={for_data})
print("printed")
os.write(1, b"written\\n")
subprocess.run(["echo", "by a child"])
show("data", "more")
print("printed later")
"""


def run(code: str, redirection: str = "") -> tuple[list[str], list[str]]:
    """Run code in a process of its own; return the lines of stdout and stderr."""
    finished = subprocess.run(
        ["/bin/sh", "-c", f'exec "$0" -c "$1" {redirection}', sys.executable, dedent(code)],
        capture_output=True,
        text=True,
        check=True,
    )
    return finished.stdout.splitlines(), finished.stderr.splitlines()


def test_reserved_for_data() -> None:
    """All else goes to stderr, also what is written below Python."""
    out, err = run(NOISY.format(for_data=True))
    assert out == ["before", "data", "more"]
    assert sorted(err) == ["by a child", "printed", "printed later", "written"]


def test_not_reserved() -> None:
    """A task that prints no data has its stdout as it is."""
    out, err = run(NOISY.format(for_data=False))
    assert sorted(out) == sorted(
        ["before", "printed", "written", "by a child", "data", "more", "printed later"]
    )
    assert err == []


def test_the_next_task_has_its_stdout_back() -> None:
    """`inv status migrate` runs two tasks in one process."""
    out, err = run(NOISY.format(for_data=True) + "prepare_streams(for_data=False)\nprint('log')\n")
    assert out == ["before", "data", "more", "log"]
    assert "log" not in err


@pytest.mark.parametrize(
    ("redirection", "expected"),
    [(">&-", []), ("2>&-", ["before", "data", "more"]), (">&- 2>&-", [])],
)
def test_streams_that_are_closed(redirection: str, expected: list[str]) -> None:
    """They lead nowhere, and nothing else gets what is written to them."""
    out, err = run(NOISY.format(for_data=True), redirection)
    assert out == expected
    assert "data" not in err
