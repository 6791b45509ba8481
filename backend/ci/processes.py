"""Processes of a run: found by an environment variable that all of them have, and ended."""

from collections.abc import Iterator

import psutil

from backend.ci.run import Run
from backend.stack.engine.labels import RUN_VARIABLE

_SECONDS = 10
"""Seconds that a killed process has to end."""


def find_processes() -> Iterator[tuple[Run, psutil.Process]]:
    """Yield the processes of any run on this machine, with their run."""
    for process in psutil.process_iter():
        try:
            run = Run.parse(process.environ().get(RUN_VARIABLE, ""))
        except (psutil.Error, OSError):
            continue  # it belongs to another user, or has ended
        if run:
            yield run, process


def end_processes(run: Run) -> int:
    """Kill the remaining processes of a run, and return their number.

    They had a stop signal before, or no process of the run is left to send one.
    """
    ours = [process for owner, process in find_processes() if owner == run]
    for process in ours:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(ours, timeout=_SECONDS)
    return len(ours)
