"""Reserve the port to serve on, so that a taken port is known before anything is changed."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from alembic_boot.commands import as_typed, setting
from alembic_boot.description import ServePolicy
from alembic_boot.errors import ServingFailedError

_BUFFER = 64 << 10
"""Bytes in each direction; Linux doubles this number for its own data."""


@contextmanager
def reserved_port(policy: ServePolicy) -> Iterator[socket.socket]:
    """Yield a socket bound to the address to serve on.

    The socket does not listen yet: the boot server does so if the boot takes a while. Raises
    ServingFailedError.
    """
    try:
        [(family, kind, protocol, _, address), *_] = socket.getaddrinfo(
            policy.host, policy.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:  # UnicodeError: a label too long for a name
        raise ServingFailedError(
            f"{setting('HOST')}={policy.host!r} is not an address to serve on: "
            f"{getattr(error, 'strerror', None) or error}.",
            "127.0.0.1 serves this machine, 0.0.0.0 every network.",
        ) from error
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            raise _refused(policy, error) from error
        # While neither listens, this option would let a second starter bind the port, too: then
        # the first may lose the port. `prepare_to_listen` sets the option again.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        listener.set_inheritable(True)
        yield listener


def prepare_to_listen(listener: socket.socket) -> None:
    """Set the options that the connections of this socket inherit.

    The port can be bound again at once after this socket is closed: otherwise connections that are
    still closing would block it. The system's buffer per client is small; otherwise a client that
    does not read would take megabytes.
    """
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)


def url_of(listener: socket.socket) -> str:
    """Return the URL by which a bound socket is reached."""
    host, port, *_ = listener.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _refused(policy: ServePolicy, error: OSError) -> ServingFailedError:
    if error.errno == errno.EADDRINUSE:
        other = policy.port + 1 if policy.port < 65535 else policy.port - 1
        return ServingFailedError(
            f"Port {policy.port} on {policy.host} is taken.",
            "Stop what listens there, or choose another: "
            f"`{setting('PORT')}={other} {as_typed('start')}`.",
        )
    return ServingFailedError(
        f"Port {policy.port} on {policy.host} cannot be used: {error.strerror}.",
        f"Choose another: {setting('HOST')} and {setting('PORT')}.",
    )
