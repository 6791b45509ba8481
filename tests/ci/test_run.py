"""A run is known again by its process, and by nothing that another process may have, too."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import given, strategies as st

from backend.ci.run import Run, is_over, start_of, this_run

HERE, ELSEWHERE = "here", "elsewhere"


@given(st.text(min_size=1), st.integers(min_value=0), st.integers(min_value=0))
def test_label_round_trip(host: str, pid: int, started: int) -> None:
    run = Run(host, pid, started)
    assert Run.parse(str(run)) == run


@pytest.mark.parametrize("label", ["", "x", "host:1", "host:1:", "host:a:1", ":1:1", "h:-1:1"])
def test_labels_of_others(label: str) -> None:
    assert Run.parse(label) is None


@pytest.mark.parametrize(
    ("host", "start", "expected"),
    [
        (HERE, 1000.0, False),
        (HERE, 1000.7, False),
        (HERE, 1004.9, False),  # the clock was set
        (HERE, None, True),  # no such process
        (HERE, 1060.0, True),  # the number was given to another one
        (HERE, 900.0, True),
        (ELSEWHERE, None, False),  # this machine cannot know
    ],
)
def test_is_over(host: str, start: float | None, expected: bool) -> None:
    starts: dict[int, float | None] = {7: start}
    look_up: Callable[[int], float | None] = starts.__getitem__
    assert Run(host, 7, 1000).is_over(HERE, look_up) is expected


def test_this_run_is_not_over() -> None:
    run = this_run()
    assert run.pid == os.getpid()
    assert not is_over(run)
    assert is_over(Run(run.host, run.pid, run.started - 3600))


def test_zombie() -> None:
    """A process that was killed is over, though nobody has asked about its end yet."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert start_of(process.pid) is not None
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert start_of(process.pid) is None
    assert start_of(process.pid) is None
