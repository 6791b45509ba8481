"""Where what a task says cannot be written: whoever read it has gone, or the disk is full."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.process import DEADLINE, INV, project, run

pytestmark = pytest.mark.slow  # each starts a process; together they take five seconds

_LOG_LOST = "The log cannot be written: {}."


@pytest.fixture
def unread() -> Iterator[int]:
    """Give the writing end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.fixture
def full() -> Iterator[int]:
    """Give a file that takes nothing."""
    with Path("/dev/full").open("w") as file:
        yield file.fileno()


def say_to(stdout: int, folder: Path, task: str, url: str) -> tuple[int, list[str]]:
    """Run a task whose stdout is this; return its status and what it says on stderr."""
    finished = subprocess.run(
        [INV, task],
        cwd=folder,
        env={"PATH": os.defpath, "HOME": str(folder), "DATABASE_URL": url},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    return finished.returncode, finished.stderr.splitlines()


def test_nobody_reads_the_data(tmp_path: Path, database_url: str, unread: int) -> None:
    """As with every program whose output goes to `head`: no word, and the status of SIGPIPE."""
    assert say_to(unread, project(tmp_path), "status", database_url) == (141, [])


def test_the_data_has_no_room(tmp_path: Path, database_url: str, full: int) -> None:
    """Half an answer is none."""
    sentence = "The output cannot be written: No space left on device."
    assert say_to(full, project(tmp_path), "status", database_url) == (
        1,
        [f"{sentence} Send it elsewhere."],
    )


def test_nobody_reads_the_log(tmp_path: Path, database_url: str, unread: int) -> None:
    """The work is done all the same, and the loss is told once."""
    folder = project(tmp_path)
    said = say_to(unread, folder, "migrate", database_url)
    assert said == (0, [_LOG_LOST.format("Broken pipe")])
    run(folder, "status", DATABASE_URL=database_url).assert_says("state…current")


def test_the_log_has_no_room(tmp_path: Path, database_url: str, full: int) -> None:
    """Nor does a full disk stop what is under way."""
    said = say_to(full, project(tmp_path), "migrate", database_url)
    assert said == (0, [_LOG_LOST.format("No space left on device")])


def test_no_stdout(tmp_path: Path, database_url: str) -> None:
    """A shell can close it: `inv migrate >&-`."""
    folder = project(tmp_path)
    finished = subprocess.run(
        ["/bin/sh", "-c", f"{INV} migrate >&- && {INV} status >&-"],
        cwd=folder,
        env={"PATH": os.defpath, "HOME": str(folder), "DATABASE_URL": database_url},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
