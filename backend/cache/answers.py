"""Answers cached for some seconds, and dropped at once when their subject changes."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Collection, Hashable
from dataclasses import dataclass

from cachetools import TTLCache

_ROOM = 32 << 20
"""Bytes that all answers of a process may take."""

_LEAST = 16 << 10
"""Smallest number of bytes that an answer counts for; it limits the cache to 2048 answers."""


@dataclass(frozen=True)
class Key:
    """The key of an answer: its subject, and the variant of the answer.

    A change of the subject drops all of its answers.
    """

    subject: str
    which: Hashable = None


Read = Callable[[], Awaitable[bytes | None]]
"""Reads an answer; None if there is none."""

_Reading = asyncio.Future[bytes | None]
"""An answer that one request is reading, for all requests that ask meanwhile."""


class Answers:
    """The cached answers of a process.

    `answer` is for the event loop. All other methods are thread-safe, and take microseconds.
    """

    def __init__(self, seconds: float) -> None:
        self._kept: TTLCache[Key, bytes] = TTLCache(_ROOM, seconds, getsizeof=_size)
        self._readings: dict[Key, _Reading] = {}
        self._lock = threading.Lock()
        self.hits = 0
        """Number of requests whose answer was cached, or was being read already."""
        self.misses = 0
        """Number of requests that had to read their answer."""

    def kept(self, key: Key) -> bytes | None:
        """Return the cached answer; None if there is none."""
        with self._lock:
            return self._kept.get(key)

    async def answer(self, key: Key, read: Read) -> bytes | None:
        """Return the cached answer, or else the result of `read`.

        If a request is reading the answer already, later requests wait for its answer or exception.
        They wait without a thread and without a connection. If `forget` or `clear` is called
        meanwhile, the reading may be older than the change. Then its answer is not cached, and
        later requests read again. `read` may use another cached answer of the same subject if it
        was cached when `read` began.
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
                # The request that was reading was cancelled; the next request reads instead.
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
        """Cache the answer, unless it may be older than a change."""
        with self._lock:
            if self._readings.get(key) is reading:
                del self._readings[key]
                if found is not None and _size(found) <= _ROOM:
                    self._kept[key] = found

    def forget(self, subjects: Collection[str]) -> None:
        """Drop every answer about these subjects, and those that are being read."""
        with self._lock:
            for kept in (self._kept, self._readings):
                for key in [it for it in kept if it.subject in subjects]:
                    kept.pop(key, None)

    def clear(self) -> None:
        """Drop every answer, and those that are being read."""
        with self._lock:
            self._kept.clear()
            self._readings.clear()

    def keys(self) -> frozenset[Key]:
        """Return the keys of all cached answers."""
        with self._lock:
            return frozenset(self._kept)


def _size(answer: bytes) -> int:
    return max(len(answer), _LEAST)
