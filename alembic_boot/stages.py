"""The duration of each stage of a start."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stages:
    """The seconds of each stage. The time of an inner stage counts only for that stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._within = 0.0

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Measure the block as this stage, however it ends."""
        started, outer, self._within = time.monotonic(), self._within, 0.0
        try:
            yield
        finally:
            taken = time.monotonic() - started
            self.seconds[stage] = taken - self._within
            self._within = outer + taken
