"""A run of the pipeline: what it is called in the engine, and whether it is over."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import psutil

_TOLERANCE = 5
"""Seconds by which a start may seem to move when the machine's clock is set."""


@dataclass(frozen=True)
class Run:
    """A run, by its process: a process id alone is given to others again."""

    host: str
    pid: int
    started: int
    """When its process started, in seconds since the epoch."""

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}:{self.started}"

    @property
    def tag(self) -> str:
        """What names of images and folders have of it."""
        return f"{self.pid}-{self.started}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the run that a label names; None where it is none of ours."""
        host, *numbers = text.rsplit(":", 2)
        if host and len(numbers) == 2 and all(it.isascii() and it.isdecimal() for it in numbers):
            return cls(host, *map(int, numbers))
        return None

    def is_over(self, host: str, start_of: Callable[[int], float | None]) -> bool:
        """Whether no process is behind it any more, as far as this host can tell.

        `start_of` gives when the process of an id started; None where there is none.
        """
        if self.host != host:
            return False
        started = start_of(self.pid)
        return started is None or abs(started - self.started) > _TOLERANCE


def this_run() -> Run:
    """Return the run that this process is."""
    process = psutil.Process()
    return Run(socket.gethostname(), process.pid, int(process.create_time()))


def is_over(run: Run) -> bool:
    """Whether a run has ended, on this machine."""
    return run.is_over(socket.gethostname(), start_of)


def start_of(pid: int) -> float | None:
    """Return when a process started, in seconds since the epoch; None where it does not run."""
    try:
        process = psutil.Process(pid)
        # One that nobody has asked about its end yet is still listed.
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None
