"""Decide whether a request has to wait too long for a thread, by how long threads take."""

import math

_TOO_LONG = 5.0
"""Seconds: who would wait longer is sent away at once."""

_FIRST_GUESS = 0.02
"""Seconds that a thread takes for a request, as long as none has been measured."""

_WEIGHT = 0.1
"""Part that the newest measured time has in the mean: about 20 requests are remembered."""

_LONGEST_RETRY = 10
"""Seconds after which a client may try again, at most."""


class Load:
    """The requests that have a thread or wait for one, and how long a thread takes for each."""

    def __init__(self, at_once: int) -> None:
        """Take how many threads there are."""
        self._at_once = at_once
        self._mean = _FIRST_GUESS
        self._inside = 0
        self._last_end = 0.0

    def expected_wait(self, now: float) -> float:
        """Return the seconds that one more request would wait for a thread.

        If all threads hang, the measured time is of no use. Then a thread takes at least the time
        since the last one has ended.
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
        """Note that a request wants a thread."""
        if self._inside < self._at_once:
            # A thread is free: that none has ended lately means nothing.
            self._last_end = now
        self._inside += 1

    def leave(self, now: float, begun: float | None) -> None:
        """Note that it has been served since `begun`; None if it went without a thread."""
        self._inside -= 1
        if begun is not None:
            self._mean += _WEIGHT * (now - begun - self._mean)
            self._last_end = now
