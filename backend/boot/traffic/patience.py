"""How long a run has been held off so far, and what is said of it meanwhile."""

import logging
import random
import threading
import time
from collections.abc import Sequence

from backend.boot.signals import raise_if_stopped
from backend.boot.traffic import reasons
from backend.boot.traffic.blockers import AnyBlocker
from backend.boot.traffic.ladder import Ladder

_log = logging.getLogger(__name__)

_REPEAT, _REPEAT_CHANGED = 5.0, 1.0
"""Seconds after which the same is said again, and something else."""


class Patience:
    """One run's tries to get what live traffic has, and the budget for all of them together."""

    def __init__(self, ladder: Ladder) -> None:
        self._ladder = ladder
        self._tries = 0
        self._lost = 0.0
        """Seconds of being held off that are over."""
        self._held_since: float | None = None
        self._said, self._said_at = "", float("-inf")

    @property
    def limit(self) -> float:
        """Seconds that the next try may wait for a table."""
        return self._ladder.limit(self._tries)

    @property
    def row_limit(self) -> float:
        """Seconds that the next try may wait where nobody queues behind it."""
        return self._ladder.row_limit(self._tries, self._held_off())

    def failed(
        self,
        label: str,
        phrase: str,
        blockers: Sequence[AnyBlocker],
        error: Exception | None,
        outside_since: float | None = None,
    ) -> None:
        """Note a try that was held off, and of a statement outside of the revision's transaction,
        which may have waited for long, by the clock since when.

        Raises MigrationFailedError where the budget is used up.
        """
        now = time.monotonic()
        if self._held_since is None:
            self._held_since = now if outside_since is None else outside_since
        self._tries += 1
        if self._ladder.is_over(self._held_off()):
            keeps = outside_since is not None
            budget = self._ladder.budget
            raise reasons.over(label, phrase, blockers, budget, keeps=keeps) from error
        text = reasons.again(label, phrase, blockers, self._ladder.budget)
        if now - self._said_at >= (_REPEAT if text == self._said else _REPEAT_CHANGED):
            _log.info("%s", text)
            self._said, self._said_at = text, now

    def succeeded(self, label: str) -> None:
        """Note a try that got through."""
        self._tries = 0
        if self._held_since is not None:
            held_off = time.monotonic() - self._held_since
            self._lost, self._held_since = self._lost + held_off, None
            _log.info("Migration %s got through after %.1f s", label, held_off)

    def pause(self) -> None:
        """Leave the table alone until the next try."""
        raise_if_stopped()
        threading.Event().wait(self._ladder.pause(random.random()))  # noqa: S311

    def _held_off(self) -> float:
        if self._held_since is None:
            return self._lost
        return self._lost + time.monotonic() - self._held_since
