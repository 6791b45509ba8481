"""Read a little from a connection at a time, so that the event loop goes on to the others."""

import asyncio

_PART = 4 << 10
"""Bytes. asyncio alone would read 256 KiB, which may be tens of thousands of events."""


class SmallReads(asyncio.BufferedProtocol, asyncio.Protocol):
    """A protocol that takes up to 4 KiB in a turn of the event loop.

    It gives them to `data_received`. What comes meanwhile waits in the system's buffer.
    """

    _buffer = bytearray()

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 (asyncio's own guess)
        """Return the place for the next bytes."""
        self._buffer = bytearray(_PART)
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take the bytes that have come; an idle connection keeps no place for more."""
        data = bytes(self._buffer[:nbytes])
        self._buffer = bytearray()
        self.data_received(data)
