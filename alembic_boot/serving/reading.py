"""Read little from a connection at a time, so that the event loop serves the others, too."""

import asyncio

_PART = 4 << 10
"""Bytes. asyncio alone would read 256 KiB, which may be tens of thousands of events."""


class SmallReads(asyncio.BufferedProtocol, asyncio.Protocol):
    """A protocol that reads up to 4 KiB in one pass of the event loop.

    It passes them to `data_received`. Later data waits in the system's buffer.
    """

    _buffer = bytearray()

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 (asyncio's own guess)
        """Return the buffer for the next bytes."""
        self._buffer = bytearray(_PART)
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Pass the received bytes on; an idle connection keeps no buffer."""
        data = bytes(self._buffer[:nbytes])
        self._buffer = bytearray()
        self.data_received(data)
