"""Decide by measured times whether a request would wait too long for a thread."""

import math

_TOO_LONG = 5.0
"""Seconds: a request that would wait longer is refused at once."""

_FIRST_GUESS = 0.02
"""Assumed seconds per request, until a time has been measured."""

_WEIGHT = 0.1
"""Weight of the newest measured time in the mean: about 20 requests are remembered."""

_LONGEST_RETRY = 10
"""Largest number of seconds in Retry-After."""


class Load:
    """The requests that have a thread or wait for one, and the time that each takes."""

    def __init__(self, at_once: int) -> None:
        """Set the number of threads."""
        self._at_once = at_once
        self._mean = _FIRST_GUESS
        self._inside = 0
        self._last_end = 0.0

    def expected_wait(self, now: float) -> float:
        """Return the seconds that one more request would wait for a thread.

        If all threads hang, the measured time is useless. Then a thread takes at least the time
        since the last request ended.
        """
        before = self._inside - self._at_once + 1
        if before <= 0:
            return 0.0
        return before * max(self._mean, now - self._last_end) / self._at_once

    def retry_after(self, now: float) -> int | None:
        """Return the seconds after which a request may come again; None if it can be served now."""
        wait = self.expected_wait(now)
        return None if wait <= _TOO_LONG else min(_LONGEST_RETRY, math.ceil(wait))

    def enter(self, now: float) -> None:
        """Count a request that needs a thread."""
        if self._inside < self._at_once:
            # A thread is free, so a long time without an ended request means nothing.
            self._last_end = now
        self._inside += 1

    def leave(self, now: float, begun: float | None) -> None:
        """Note that a request has ended that ran since `begun`; None if it never got a thread."""
        self._inside -= 1
        if begun is not None:
            self._mean += _WEIGHT * (now - begun - self._mean)
            self._last_end = now
