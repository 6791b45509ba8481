"""How long one statement may wait for locks where no `lock_timeout` can say it: behind a pooler,
outside of any transaction, where what a session sets is found by whoever is lent it next.
"""

import threading
from collections.abc import Callable


class WaitLimit:
    """Seconds that a statement may wait in all, kept by whoever looks at it from outside."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waited = 0.0
        self._lock = threading.Lock()
        self._is_over = False
        self.has_ended_it = False
        """Whether the statement was ended for it."""

    def look(self, cancel: Callable[[], bool], seconds: float, *, is_waiting: bool) -> None:
        """Note whether the statement waits, as it has for so many seconds, and end it where that
        has been enough; `cancel` does so, and returns whether it did.
        """
        with self._lock:
            self._waited += seconds if is_waiting else 0
            is_enough = is_waiting and self._waited >= self._seconds
            if is_enough and not self._is_over and not self.has_ended_it:
                self.has_ended_it = cancel()

    def close(self) -> None:
        """Note that the statement is over: no cancel is under way any more, or sent later."""
        with self._lock:
            self._is_over = True
