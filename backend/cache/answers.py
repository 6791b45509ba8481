"""Answers kept for some seconds, and given up at once where what they tell has changed."""

import threading
from collections.abc import Callable, Collection, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from cachetools import TTLCache

_ROOM = 32 << 20
"""Bytes that all answers of a process may take."""

_LEAST = 16 << 10
"""Bytes that an answer counts for at least: so that there are 2048 at most to look through."""


@dataclass(frozen=True)
class Key:
    """What an answer is known by: the subject that it tells about, and which of its answers.

    A change of the subject ends all of its answers.
    """

    subject: str
    which: Hashable = None


# Told apart by identity: two requests may fill the same key at once.
@dataclass(eq=False)
class _Filling:
    """Somebody reads what is to be kept; `is_stale` once the subject changed meanwhile."""

    key: Key
    is_stale: bool = field(default=False, init=False)


class Answers:
    """The answers that a process keeps. Thread-safe; every method takes microseconds."""

    def __init__(self, seconds: float) -> None:
        self._kept: TTLCache[Key, bytes] = TTLCache(_ROOM, seconds, getsizeof=_size)
        self._fillings: set[_Filling] = set()
        self._lock = threading.Lock()
        self.hits = 0
        """How often what was asked for was there."""
        self.misses = 0
        """How often it was not."""

    def get(self, key: Key) -> bytes | None:
        """Return what is kept; None where nothing is."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                self.misses += 1
            else:
                self.hits += 1
            return found

    @contextmanager
    def filling(self, key: Key) -> Iterator[Callable[[bytes], None]]:
        """Give what keeps an answer. What it is made of has to be read inside of the block.

        Whatever `forget` or `clear` is told meanwhile, the reading may have missed: then nothing is
        kept.
        """
        filling = _Filling(key)
        with self._lock:
            self._fillings.add(filling)

        def keep(answer: bytes) -> None:
            with self._lock:
                if not filling.is_stale and _size(answer) <= _ROOM:
                    self._kept[key] = answer

        try:
            yield keep
        finally:
            with self._lock:
                self._fillings.discard(filling)

    def forget(self, subjects: Collection[str]) -> None:
        """Give up every answer about these subjects, and those that are being made."""
        with self._lock:
            for filling in self._fillings:
                filling.is_stale |= filling.key.subject in subjects
            for key in [it for it in self._kept if it.subject in subjects]:
                self._kept.pop(key, None)

    def clear(self) -> None:
        """Give up every answer, and those that are being made."""
        with self._lock:
            for filling in self._fillings:
                filling.is_stale = True
            self._kept.clear()

    def keys(self) -> frozenset[Key]:
        """Return what there is an answer to."""
        with self._lock:
            return frozenset(self._kept)


def _size(answer: bytes) -> int:
    return max(len(answer), _LEAST)
