"""What a task prints as data, beside whatever else a process writes."""

import subprocess
import sys
from textwrap import dedent

import pytest

NOISY = """
import os, subprocess, sys
from alembic_boot.output.stdout import prepare_streams, show
print("before")
prepare_streams(is_reserved={is_reserved})
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


def test_reserved_is_reserved() -> None:
    """All else goes to stderr, also what is written below Python."""
    out, err = run(NOISY.format(is_reserved=True))
    assert out == ["before", "data", "more"]
    assert sorted(err) == ["by a child", "printed", "printed later", "written"]


def test_not_reserved() -> None:
    """A task that prints no data has its stdout as it is."""
    out, err = run(NOISY.format(is_reserved=False))
    assert sorted(out) == sorted(
        ["before", "printed", "written", "by a child", "data", "more", "printed later"]
    )
    assert err == []


LOGGING = """
import logging
from alembic_boot.output.log import configure_logging
from alembic_boot.output.stdout import prepare_streams, reserved
prepare_streams(is_reserved=False)
configure_logging("info", "text")
with reserved():
    print("printed")
    logging.info("logged")
    with reserved():
        logging.info("logged in a block of a block")
print("printed later")
"""


def test_the_log_of_a_reserved_stdout() -> None:
    """What others print does not get between its lines, as long as the block lasts."""
    out, err = run(LOGGING)
    assert [line.partition("INFO    ")[2] or line for line in out] == [
        "logged",
        "logged in a block of a block",
        "printed later",
    ]
    assert err == ["printed"]


def test_the_next_task_has_its_stdout_back() -> None:
    """`inv status migrate` runs two tasks in one process."""
    again = "prepare_streams(is_reserved=False)\nprint('log')\n"
    out, err = run(NOISY.format(is_reserved=True) + again)
    assert out == ["before", "data", "more", "log"]
    assert "log" not in err


@pytest.mark.parametrize(
    ("redirection", "expected"),
    [(">&-", []), ("2>&-", ["before", "data", "more"]), (">&- 2>&-", [])],
)
def test_streams_that_are_closed(redirection: str, expected: list[str]) -> None:
    """They lead nowhere, and nothing else gets what is written to them."""
    out, err = run(NOISY.format(is_reserved=True), redirection)
    assert out == expected
    assert "data" not in err


def test_a_stdin_that_is_closed() -> None:
    """It has ended, as an empty one: who asks there gets no answer."""
    out, _ = run(
        """
        from alembic_boot.output.stdout import prepare_streams
        prepare_streams(is_reserved=True)
        try:
            input()
        except EOFError:
            raise SystemExit(0)
        raise SystemExit(1)
        """,
        "<&-",
    )
    assert out == []
