"""Processes of a run: found by the variable that all of them were started with, and ended."""

from collections.abc import Iterator

import psutil

from backend.ci.run import Run
from backend.stack.engine.labels import RUN_VARIABLE

_SECONDS = 10
"""In which what was killed is gone."""


def find_processes() -> Iterator[tuple[Run, psutil.Process]]:
    """Give the processes of this machine that a run, this one or another, has started."""
    for process in psutil.process_iter():
        try:
            run = Run.parse(process.environ().get(RUN_VARIABLE, ""))
        except (psutil.Error, OSError):
            continue  # it is somebody else's, or over
        if run:
            yield run, process


def end_processes(run: Run) -> int:
    """Kill what a run has left running, and return how many processes that was.

    They were asked before, or nobody is there any more to ask them.
    """
    ours = [process for owner, process in find_processes() if owner == run]
    for process in ours:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(ours, timeout=_SECONDS)
    return len(ours)
