"""Room for bodies: all that have come take so much together, and few big ones are worked on."""

BIG = 64 << 10
"""Bytes: smaller bodies are never refused because others are worked on."""

SMALL = 8 << 10
"""Bytes: there is a part of the room that larger bodies leave to these."""

_AT_ONCE = 4
"""Big bodies that are read and written to the database at once; each may take 30 MB meanwhile."""

_MOST = 64 << 20
"""Bytes that bodies take while they come; and as many while they are parsed and worked on."""

_FOR_SMALL = 16 << 20
"""As many more for small bodies."""

_PER_PART = 100
"""Bytes that a list, an object, or something in one of them takes when it is parsed."""


class NoRoomError(Exception):
    """Too many bodies come at once."""


def weight(body: bytes) -> int:
    """Return the bytes that a body may take when it is parsed as JSON."""
    return len(body) + _PER_PART * (body.count(b"[") + body.count(b"{") + body.count(b","))


class Budget:
    """Bytes that all bodies of a process may take together."""

    def __init__(self, most: int = _MOST, for_small: int = _FOR_SMALL) -> None:
        self._most = most
        self._for_small = for_small
        self.taken = 0

    def take(self, own: int, more: int, *, is_small: bool) -> int:
        """Return what a body takes that had `own` bytes and wants more; raise NoRoomError.

        A single body of any size has room if there is no other, and leaves some to small ones.
        """
        now = min(own + more, self._most)
        most = self._most + (self._for_small if is_small else 0)
        if self.taken - own + now > most:
            raise NoRoomError
        self.taken += now - own
        return now


class Room:
    """The room of one process. For one event loop: nothing here is thread-safe."""

    def __init__(
        self, at_once: int = _AT_ONCE, most: int = _MOST, for_small: int = _FOR_SMALL
    ) -> None:
        self.at_once = at_once
        self.coming = Budget(most, for_small)
        self.parsed = Budget(most, for_small)
        self.working = 0


class Place:
    """The place of one body in the room, given back by `leave`."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._size = 0
        self._coming = 0
        self._parsed = 0
        self._is_working = False

    def grow(self, part: bytes) -> None:
        """Hold a part more; raise NoRoomError if there is no room for it."""
        self._size += len(part)
        self._coming = self._room.coming.take(self._coming, len(part), is_small=self._size <= SMALL)

    def work(self, whole: bytes) -> None:
        """Begin to parse and work on the whole body; raise NoRoomError if there is no room.

        What the parsing takes counts only from now on, so that a slow sender keeps no room for it.
        """
        room = self._room
        is_big = len(whole) > BIG
        if is_big and room.working >= room.at_once:
            raise NoRoomError
        self._parsed = room.parsed.take(0, weight(whole), is_small=len(whole) <= SMALL)
        room.working += is_big
        self._is_working = is_big

    def leave(self) -> None:
        """Give everything back; once is enough, and more does no harm."""
        self._room.coming.taken -= self._coming
        self._room.parsed.taken -= self._parsed
        self._room.working -= self._is_working
        self._coming = self._parsed = 0
        self._is_working = False
