"""Answers kept for some seconds, and given up at once when what they tell has changed."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Collection, Hashable
from dataclasses import dataclass

from cachetools import TTLCache

_ROOM = 32 << 20
"""Bytes that all answers of a process may take."""

_LEAST = 16 << 10
"""Bytes that an answer counts for at least: so that there are 2048 at most to look through."""


@dataclass(frozen=True)
class Key:
    """The name of an answer: the subject that it tells about, and which of its answers.

    A change of the subject ends all of its answers.
    """

    subject: str
    which: Hashable = None


Read = Callable[[], Awaitable[bytes | None]]
"""Reads an answer; None when there is none."""

_Reading = asyncio.Future[bytes | None]
"""The answer that one request reads, for all that ask meanwhile."""


class Answers:
    """The answers that a process keeps.

    `answer` is for the event loop. All else is thread-safe, and takes microseconds.
    """

    def __init__(self, seconds: float) -> None:
        self._kept: TTLCache[Key, bytes] = TTLCache(_ROOM, seconds, getsizeof=_size)
        self._readings: dict[Key, _Reading] = {}
        self._lock = threading.Lock()
        self.hits = 0
        """How often an answer was there, or was being read already."""
        self.misses = 0
        """How often an answer had to be read."""

    def kept(self, key: Key) -> bytes | None:
        """Return the answer that is kept; None without one."""
        with self._lock:
            return self._kept.get(key)

    async def answer(self, key: Key, read: Read) -> bytes | None:
        """Return the answer that is kept, or else what `read` returns.

        Requests that ask while one reads wait for its answer, or for its exception. They wait
        without a thread and without a connection. What `forget` or `clear` is told meanwhile, that
        reading may have missed: its answer is not kept, and who asks from then on reads anew.
        `read` may make the answer of another one of the same subject that is kept when it begins.
        """
        while True:
            with self._lock:
                kept = self._kept.get(key)
                reading = self._readings.get(key)
                if kept is None and reading is None:
                    self.misses += 1
                    own = self._readings[key] = asyncio.get_running_loop().create_future()
                    break
                self.hits += 1
            if kept is not None:
                return kept
            if reading is not None:
                await asyncio.wait([reading])
                # Cancelled with the request that was to read: then the next one does.
                if not reading.cancelled():
                    return reading.result()
        return await self._read(key, read, own)

    async def _read(self, key: Key, read: Read, reading: _Reading) -> bytes | None:
        try:
            found = await read()
        except Exception as error:
            self._end(key, reading)
            reading.set_exception(error)
            reading.exception()  # other requests may have waited, or none: asyncio warns of none
            raise
        except BaseException:
            self._end(key, reading)
            reading.cancel()
            raise
        self._end(key, reading, found)
        reading.set_result(found)
        return found

    def _end(self, key: Key, reading: _Reading, found: bytes | None = None) -> None:
        """Keep what was found, unless it may be older than a change."""
        with self._lock:
            if self._readings.get(key) is reading:
                del self._readings[key]
                if found is not None and _size(found) <= _ROOM:
                    self._kept[key] = found

    def forget(self, subjects: Collection[str]) -> None:
        """Give up every answer about these subjects, and those that are being read."""
        with self._lock:
            for kept in (self._kept, self._readings):
                for key in [it for it in kept if it.subject in subjects]:
                    kept.pop(key, None)

    def clear(self) -> None:
        """Give up every answer, and those that are being read."""
        with self._lock:
            self._kept.clear()
            self._readings.clear()

    def keys(self) -> frozenset[Key]:
        """Return what there is an answer to."""
        with self._lock:
            return frozenset(self._kept)


def _size(answer: bytes) -> int:
    return max(len(answer), _LEAST)
