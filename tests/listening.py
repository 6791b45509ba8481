"""Look whether a port is listened on, quickly even at the moment when the listener closes."""

import socket

_PATIENCE = 0.2
"""Seconds for one connection attempt on this machine."""


def listens(address: tuple[str, int]) -> bool:
    """Return whether something listens there; a connection that is made is closed at once.

    Linux drops a connection request that arrives while the listener closes. The client sends it
    again after a second. A test that waits for that second is too late for what it wants to do
    just after the close, so the attempt is given up and counts as not refused yet.
    """
    with socket.socket() as client:
        client.settimeout(_PATIENCE)
        try:
            client.connect(address)
        except ConnectionRefusedError:
            return False
        except (TimeoutError, ConnectionResetError):
            return True
        return True
