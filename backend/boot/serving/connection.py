"""One connection over HTTP/1.1: Uvicorn's protocol, made to end without losing a request.

Everything of Uvicorn that is not documented and that our connections need stands here. It was
checked with Uvicorn 0.54: `uvicorn.protocols.http.h11_impl.H11Protocol` with its `cycle`, `loop`
and `transport`, and `RequestResponseCycle` with `keep_alive` and `response_complete`. All of them
are attributes without an underscore; none is in Uvicorn's documentation.
"""

from uvicorn.protocols.http.h11_impl import H11Protocol

_FOR_A_FIRST_REQUEST = 1.0
"""Seconds that a client which has just connected has for its request when the server ends."""

_FOR_ANOTHER = 0.05
"""As many for a client that was answered before: its next request may wait in the socket."""


class Connection(H11Protocol):
    """Uvicorn's protocol; when the server ends, a request that is on its way is answered."""

    _is_ending = False

    def shutdown(self) -> None:
        """Close the connection in order, because the server ends.

        Uvicorn would close an idle connection at once, and with it a request that the client has
        sent or is sending. So each idle connection may send one request, for a short time.
        """
        self._is_ending = True
        if self._has_request():
            super().shutdown()
            return
        seconds = _FOR_A_FIRST_REQUEST if self.cycle is None else _FOR_ANOTHER
        self.loop.call_later(seconds, self._close_if_idle)

    def data_received(self, data: bytes) -> None:
        """Take what the client sends; a request that comes at the end is the last."""
        super().data_received(data)
        if self._is_ending and self._has_request():
            self.cycle.keep_alive = False

    def _has_request(self) -> bool:
        """Return whether a request has come that is not answered yet."""
        return self.cycle is not None and not self.cycle.response_complete

    def _close_if_idle(self) -> None:
        if not self._has_request() and not self.transport.is_closing():
            super().shutdown()
