"""Memory limits for bodies: for all bodies together, and for the number of big ones at once."""

BIG = 64 << 10
"""Bytes: a smaller body is never refused because of other bodies."""

SMALL = 8 << 10
"""Bytes: part of the memory is reserved for bodies up to this size."""

_AT_ONCE = 4
"""Big bodies that are parsed and written at once; each may take 30 MB meanwhile."""

_MOST = 64 << 20
"""Bytes for bodies that are being received; and as many again for bodies that are being parsed."""

_FOR_SMALL = 16 << 20
"""Additional bytes for small bodies."""

_PER_PART = 100
"""Bytes that a list, an object or an item takes after parsing."""


class NoRoomError(Exception):
    """Too many bodies arrive at once."""


def weight(body: bytes) -> int:
    """Return the bytes that a body may take after it is parsed as JSON."""
    return len(body) + _PER_PART * (body.count(b"[") + body.count(b"{") + body.count(b","))


class Budget:
    """The bytes that all bodies of a process may take together."""

    def __init__(self, most: int = _MOST, for_small: int = _FOR_SMALL) -> None:
        self._most = most
        self._for_small = for_small
        self.taken = 0

    def take(self, own: int, more: int, *, is_small: bool) -> int:
        """Return the new share of a body that had `own` bytes and needs more; raise NoRoomError.

        A body of any size has room if there is no other. Big bodies leave some room to small ones.
        """
        now = min(own + more, self._most)
        most = self._most + (self._for_small if is_small else 0)
        if self.taken - own + now > most:
            raise NoRoomError
        self.taken += now - own
        return now


class Room:
    """The room of one process, for one event loop: not thread-safe."""

    def __init__(
        self, at_once: int = _AT_ONCE, most: int = _MOST, for_small: int = _FOR_SMALL
    ) -> None:
        self.at_once = at_once
        self.coming = Budget(most, for_small)
        self.parsed = Budget(most, for_small)
        self.working = 0


class Place:
    """The share of one body in the room; `leave` gives it back."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._size = 0
        self._coming = 0
        self._parsed = 0
        self._is_working = False

    def grow(self, part: bytes) -> None:
        """Hold another part; raise NoRoomError if there is no room for it."""
        self._size += len(part)
        self._coming = self._room.coming.take(self._coming, len(part), is_small=self._size <= SMALL)

    def work(self, whole: bytes) -> None:
        """Begin to parse and process the whole body; raise NoRoomError if there is no room.

        The memory for parsing counts only from now on, so a slow sender does not hold it.
        """
        room = self._room
        is_big = len(whole) > BIG
        if is_big and room.working >= room.at_once:
            raise NoRoomError
        self._parsed = room.parsed.take(0, weight(whole), is_small=len(whole) <= SMALL)
        room.working += is_big
        self._is_working = is_big

    def leave(self) -> None:
        """Give everything back; a second call does nothing."""
        self._room.coming.taken -= self._coming
        self._room.parsed.taken -= self._parsed
        self._room.working -= self._is_working
        self._coming = self._parsed = 0
        self._is_working = False
