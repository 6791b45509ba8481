"""The budget of one run: how long live traffic may block it, and the log lines about that."""

import logging
import random
import threading
import time
from collections.abc import Sequence

from alembic_boot.output.log_fields import fields
from alembic_boot.running import backoff, retry_reasons as reasons
from alembic_boot.running.blockers import AnyBlocker, listed
from alembic_boot.signals import raise_if_stopped
from alembic_boot.situation import note

_log = logging.getLogger(__name__)

_REPEAT, _REPEAT_CHANGED = 5.0, 1.0
"""Seconds before the same line is repeated, and before a different line."""


class Budget:
    """The budget of all retries of one run together.

    It counts lock waits, pauses and repeated work.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.tries = 0
        """The tries that have failed since the last one that succeeded."""
        self._lost = 0.0
        """The seconds used so far."""
        self._waited = 0.0
        """Seconds of lock waits that are not yet in `_lost`."""
        self._lock = threading.Lock()
        self._since: float | None = None
        """The time at which this revision was blocked first."""
        self._again_since: float | None = None
        """The time at which this try began; None for a first try."""
        self._said, self._said_at = "", float("-inf")

    @property
    def limit(self) -> float:
        """Seconds that the next try may wait for a table."""
        return backoff.limit(self.tries)

    @property
    def row_limit(self) -> float:
        """Seconds that the next try may wait if no session queues behind it."""
        return backoff.row_limit(self.tries, self._left())

    def waited(self, seconds: float) -> None:
        """Add seconds of a lock wait. Any thread may call this."""
        with self._lock:
            self._waited += seconds

    def is_over(self, seconds: float) -> bool:
        """Return whether a wait of so many seconds must end because the budget is used up."""
        return self._left() <= 0 and seconds >= self.limit

    def failed(
        self,
        label: str,
        phrase: str,
        blockers: Sequence[AnyBlocker],
        error: Exception | None,
        outside_since: float | None = None,
    ) -> None:
        """Note a try that was blocked, and wait until the next try.

        `outside_since` is for a statement outside of the revision's transaction: when it began, by
        the clock. Raises MigrationFailedError if the budget is used up.
        """
        now = time.monotonic()
        began = [it for it in (outside_since, self._again_since) if it is not None]
        self._reckon(now - max(began, default=now))
        self._since = now if self._since is None else self._since
        self._again_since = None
        self.tries += 1
        left = self._left()
        if left <= 0:
            keeps = outside_since is not None
            raise reasons.over(label, phrase, blockers, self._seconds, keeps=keeps) from error
        text = reasons.again(label, phrase, blockers, self._seconds)
        blocked_by = listed(blockers)
        note(blocked_by=blocked_by, reason=text, tries=self.tries, budget_left=left)
        if now - self._said_at >= (_REPEAT if text == self._said else _REPEAT_CHANGED):
            _log.info("%s", text, extra=fields("blocked", label=label, blocked_by=blocked_by))
            self._said, self._said_at = text, now
        self._pause()

    def succeeded(self, label: str) -> None:
        """Note a try that succeeded."""
        self._reckon(0)
        self.tries = 0
        if self._since is not None:
            spent = time.monotonic() - self._since
            through = fields("unblocked", label=label, seconds=spent)
            _log.info("Migration %s succeeded after %.1f s", label, spent, extra=through)
            note(blocked_by=None, reason=None, tries=0)
        self._since = self._again_since = None

    def _pause(self) -> None:
        raise_if_stopped()
        started = time.monotonic()
        threading.Event().wait(backoff.pause(random.random()))  # noqa: S311
        self._again_since = time.monotonic()
        self._lost += self._again_since - started

    def _reckon(self, seconds: float) -> None:
        """Add the lock waits to the used seconds, or `seconds` if that is more."""
        with self._lock:
            self._lost += max(seconds, self._waited)
            self._waited = 0

    def _left(self) -> float:
        """Return the seconds that are left, or none."""
        with self._lock:
            return self._seconds - self._lost - self._waited
