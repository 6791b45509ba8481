"""How long one statement may wait for locks where no `lock_timeout` says it, or says it all.

Behind a pooler, outside of any transaction, none can be set: what a session sets there is found by
whoever is lent it next. And none knows what a wait costs those who wait for what is locked already.
"""

import threading
from collections.abc import Callable

from alembic_boot.running.backoff import is_share


class WaitLimit:
    """Seconds that a statement may wait in all, kept by whoever looks at it from outside.

    Where it `may_yield`, it is ended as well when its wait has cost others their share.
    """

    def __init__(self, seconds: float, *, may_yield: bool) -> None:
        self._seconds = seconds
        self._may_yield = may_yield
        self._waited = self._cost = 0.0
        self._lock = threading.Lock()
        self._is_over = False
        self.has_ended_it = False
        """Whether the statement was ended for it."""

    def waited(self, seconds: float, cost: float, cancel: Callable[[], bool]) -> None:
        """Note that the statement waits, and has for so many seconds, which cost others so many;
        end it where that has been enough: `cancel` does so, and returns whether it did.
        """
        with self._lock:
            self._waited += seconds
            self._cost += cost
            is_enough = self._waited >= self._seconds
            is_enough |= self._may_yield and is_share(self._cost)
            if is_enough and not self._is_over and not self.has_ended_it:
                self.has_ended_it = cancel()

    def close(self) -> None:
        """Note that the statement is over: no cancel is under way any more, or sent later."""
        with self._lock:
            self._is_over = True
