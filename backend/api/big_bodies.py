"""Room for bodies: all that have come take so much together, and few big ones are worked on."""

BIG = 64 << 10
"""Bytes: smaller bodies are never refused because others are worked on."""

SMALL = 8 << 10
"""Bytes: there is a part of the room that larger bodies leave to these."""

_AT_ONCE = 4
"""Big bodies that are read and written to the database at once; each may take 30 MB meanwhile."""

_MOST_HELD = 64 << 20
"""Bytes that the bodies take that have come and are not answered yet."""

_FOR_SMALL = 16 << 20
"""As many more for small bodies."""

_PER_PART = 100
"""Bytes that a list, an object, or something in one of them takes when it is parsed."""


class NoRoomError(Exception):
    """Too many bodies come at once."""


def weight(part: bytes) -> int:
    """Return the bytes that a part of a body may take, when it is parsed as JSON."""
    return len(part) + _PER_PART * (part.count(b"[") + part.count(b"{") + part.count(b","))


class Room:
    """The room of one process. For one event loop: nothing here is thread-safe."""

    def __init__(
        self,
        at_once: int = _AT_ONCE,
        most_held: int = _MOST_HELD,
        for_small: int = _FOR_SMALL,
    ) -> None:
        self.at_once = at_once
        self.most_held = most_held
        self.for_small = for_small
        self.working = 0
        self.held = 0


class Place:
    """The place of one body in the room, given back by `leave`."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._size = 0
        self._held = 0
        self._is_working = False

    def grow(self, part: bytes) -> None:
        """Hold a part more; raise NoRoomError if there is no room for it.

        A single body of any size has room if there is no other.
        """
        room = self._room
        more = weight(part)
        self._size += len(part)
        most = room.most_held + (room.for_small if self._size <= SMALL else 0)
        if room.held > self._held and room.held + more > most:
            raise NoRoomError
        room.held += more
        self._held += more

    def work(self) -> None:
        """Begin to work on the whole body; raise NoRoomError if too many big ones are worked on."""
        if self._size > BIG and not self._is_working:
            if self._room.working >= self._room.at_once:
                raise NoRoomError
            self._room.working += 1
            self._is_working = True

    def leave(self) -> None:
        """Give everything back; once is enough, and more does no harm."""
        self._room.held -= self._held
        self._room.working -= self._is_working
        self._held, self._is_working = 0, False
