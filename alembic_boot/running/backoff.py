"""Backoff: how long a try waits for a lock, how long to pause, and when to give up.

While a statement waits for a table lock, every later conflicting statement queues behind it. So a
wait is short, and between two waits the queue gets time to run dry.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

_LIMITS = (0.1, 0.2)
"""Seconds that a statement may wait for a lock, try by try; the last goes for all that follow."""

_PAUSE = 0.5
"""Seconds between two tries at the most."""

_SHARE = 2.0
"""Seconds that other sessions may wait, in total, while one try waits for a lock."""

_LONGEST = 0.2
"""Seconds that one other session may wait while a try waits for a lock."""

_STRICT_TRIES = 10
"""Tries in which consecutive lock waits of ours count as one wait for each blocked session. After
these tries each wait counts alone: a revision that locks several busy tables could never finish
otherwise.
"""


def limit(tries: int) -> float:
    """Return the seconds that a statement may wait for a lock, after so many failed tries."""
    return _LIMITS[min(tries, len(_LIMITS) - 1)]


def row_limit(tries: int, left: float) -> float:
    """Return the seconds for a statement on rows: what is left of the budget."""
    return max(left, limit(tries))


def pause(chance: float) -> float:
    """Return the seconds until the next try; `chance`, from 0 to 1, is the jitter."""
    return _PAUSE * (1 + chance) / 2


def is_share(seconds: float) -> bool:
    """Return whether other sessions have waited, in total, as long as one try may cost."""
    return seconds >= _SHARE


@dataclass(frozen=True)
class Look:
    """Our session at one moment, as another session sees it."""

    lock: str | None = None
    """The lock that our statement waits for; None if it does not wait."""
    waiting: frozenset[int] = frozenset()
    """The sessions that wait for a lock that we hold, or that queue behind our request."""

    @property
    def is_waiting(self) -> bool:
        """True if our statement waits for a lock."""
        return self.lock is not None

    @property
    def blocked(self) -> int:
        """The number of sessions that wait for us."""
        return len(self.waiting)


@dataclass(frozen=True)
class Harm:
    """The cost of one try for others so far, in seconds of waiting."""

    in_queue: float = 0
    """The part in which our own statement waited for a lock."""
    at_work: float = 0
    """The part in which our statement worked and held locks."""
    lasted: float = 0
    """How long our present wait has lasted."""
    lock: str | None = None
    """The lock of that wait."""
    of_wait: Mapping[int, float] = field(default_factory=dict)
    """Seconds that each blocked session has waited during our present wait."""
    of_waits: Mapping[int, float] = field(default_factory=dict)
    """Seconds that each blocked session has waited during all of our waits."""

    def after(self, look: Look, seconds: float) -> "Harm":
        """Return the harm after the situation of this look has lasted `seconds`."""
        is_same = look.lock is not None and look.lock == self.lock
        before = self.of_wait if is_same else {}
        waited = seconds if look.is_waiting else 0
        cost = look.blocked * seconds
        return Harm(
            in_queue=self.in_queue + (cost if look.is_waiting else 0),
            at_work=self.at_work + (0 if look.is_waiting else cost),
            lasted=(self.lasted if is_same else 0) + waited,
            lock=look.lock,
            of_wait={pid: before.get(pid, 0) + waited for pid in look.waiting},
            of_waits={pid: self.of_waits.get(pid, 0) + waited for pid in look.waiting},
        )

    def is_too_much(self, look: Look, tries: int) -> bool:
        """Return whether our wait must end: one session, or all in total, wait too long for it.

        `tries` counts the tries that have failed. Only waits are ended. Work is not: the next try
        would have to do it again.
        """
        waits = self.of_waits if tries < _STRICT_TRIES else self.of_wait
        is_long = max(waits.values(), default=0) >= _LONGEST
        return look.is_waiting and look.blocked > 0 and (is_long or is_share(self.in_queue))

    @property
    def is_worth_a_word(self) -> bool:
        """True if the log should say it."""
        return is_share(self.in_queue + self.at_work)
