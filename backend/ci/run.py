"""A run of the pipeline: its name in the engine, and whether it has ended."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import psutil

_TOLERANCE = 5
"""Seconds by which a start time may seem to move when the machine's clock is set."""


@dataclass(frozen=True)
class Run:
    """A run, identified by its process and start time: process ids are reused."""

    host: str
    pid: int
    started: int
    """Start time of its process, in seconds since the epoch."""

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}:{self.started}"

    @property
    def tag(self) -> str:
        """Return the run's part in the names of images and folders."""
        return f"{self.pid}-{self.started}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the run that a label names; None if the label is not ours."""
        host, *numbers = text.rsplit(":", 2)
        if host and len(numbers) == 2 and all(it.isascii() and it.isdecimal() for it in numbers):
            return cls(host, *map(int, numbers))
        return None

    def is_over(self, host: str, start_of: Callable[[int], float | None]) -> bool:
        """Return whether the run's process has ended, as far as this host can tell.

        `start_of` returns the start time of a process id; None without such a process.
        """
        if self.host != host:
            return False
        started = start_of(self.pid)
        return started is None or abs(started - self.started) > _TOLERANCE


def this_run() -> Run:
    """Return the run of this process."""
    process = psutil.Process()
    return Run(socket.gethostname(), process.pid, int(process.create_time()))


def is_over(run: Run) -> bool:
    """Return whether a run on this machine has ended."""
    return run.is_over(socket.gethostname(), start_of)


def start_of(pid: int) -> float | None:
    """Return when a process started, in seconds since the epoch; None if it does not run."""
    try:
        process = psutil.Process(pid)
        # An ended process stays in the list until its parent has read its exit status.
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None
