"""Read requests as h11 does, and refuse what two servers may read in two ways."""

import h11

_VERSION_NOT_SUPPORTED = 505


class Requests(h11.Connection):
    """h11's connection of a server, which keeps for itself why a request cannot be read."""

    refused_with: int | None = None
    """The status for what cannot be read; None as long as everything can."""

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """Return what comes next; after what is no proper request, nothing does."""
        try:
            event = super().next_event()
            if isinstance(event, h11.Request):
                _require_our_version(event)
                _require_one_length(event)
        except h11.RemoteProtocolError as error:
            self.refused_with = error.error_status_hint
            return h11.NEED_DATA
        return event


def _require_our_version(request: h11.Request) -> None:
    """Raise h11.RemoteProtocolError for HTTP/2 and the like; h11 knows HTTP/1 alone."""
    if not request.http_version.startswith(b"1."):
        raise h11.RemoteProtocolError("Another version", _VERSION_NOT_SUPPORTED)


def _require_one_length(request: h11.Request) -> None:
    """Raise h11.RemoteProtocolError for a body with a length that is sent in chunks as well.

    A proxy may believe the one and h11 the other: then part of a body is taken for a request
    (RFC 9112, 6.1 and 6.3).
    """
    names = {name for name, _ in request.headers}
    if b"content-length" in names and b"transfer-encoding" in names:
        raise h11.RemoteProtocolError("Both Content-Length and Transfer-Encoding")
