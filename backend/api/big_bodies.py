"""Room for big bodies: few at once are worked on, and few bytes are held for those to come."""

from starlette.exceptions import HTTPException

BIG = 64 << 10
"""Bytes: smaller bodies are never refused for want of room."""

_AT_ONCE = 4
"""Big bodies that are read and written to the database at once; each may take 30 MB meanwhile."""

_MOST_HELD = 64 << 20
"""Bytes of big bodies that have come and are not answered yet."""


class NoRoomError(HTTPException):
    """Too many big bodies come at once. It is an HTTPException for FastAPI to pass it on."""

    def __init__(self) -> None:
        super().__init__(503, "Too many large requests are being worked on: try again.")


class Room:
    """The room of one process. For one event loop: nothing here is thread-safe."""

    def __init__(self, at_once: int = _AT_ONCE, most_held: int = _MOST_HELD) -> None:
        self.at_once = at_once
        self.most_held = most_held
        self.working = 0
        self.held = 0


class Place:
    """The place of one body in the room, given back by `leave`."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._size = 0
        self._held = 0
        self._is_working = False

    def grow(self, size: int) -> None:
        """Hold so many bytes more; raise NoRoomError if a big body has no room for them."""
        self._size += size
        if self._size > BIG:
            more = self._size - self._held
            if self._room.held + more > self._room.most_held:
                raise NoRoomError
            self._room.held += more
            self._held = self._size

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
