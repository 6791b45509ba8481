"""How long each stage of a start takes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stages:
    """The seconds of each stage. What runs within another stage counts as its own alone."""

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
