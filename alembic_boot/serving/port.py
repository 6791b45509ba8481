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
def reserved_port(policy: ServePolicy, command: str = "start") -> Iterator[socket.socket]:
    """Yield a socket bound to the address to serve on, as `bound` does.

    The processes that serve inherit it.
    """
    with bound(policy.host, policy.port, command=command) as listener:
        listener.set_inheritable(True)
        yield listener


@contextmanager
def bound(
    host: str, port: int, prefix: str = "", command: str = "start"
) -> Iterator[socket.socket]:
    """Yield a socket bound to an address, by the settings HOST and PORT with this prefix.

    `command` is what was typed, for advice. The socket does not listen yet: the boot server does so
    if the boot takes a while. Raises ServingFailedError.
    """
    host_variable, port_variable = setting(f"{prefix}HOST"), setting(f"{prefix}PORT")
    try:
        [(family, kind, protocol, _, address), *_] = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:  # UnicodeError: a label too long for a name
        raise ServingFailedError(
            f"{host_variable}={host!r} is not an address to serve on: "
            f"{getattr(error, 'strerror', None) or error}.",
            "127.0.0.1 serves this machine, 0.0.0.0 every network.",
        ) from error
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                other = port + 1 if port < 65535 else port - 1
                raise ServingFailedError(
                    f"Port {port} on {host} is taken.",
                    "Stop what listens there, or choose another: "
                    f"`{port_variable}={other} {as_typed(command)}`.",
                ) from error
            raise ServingFailedError(
                f"Port {port} on {host} cannot be used: {error.strerror}.",
                f"Choose another: {host_variable} and {port_variable}.",
            ) from error
        # While neither listens, this option would let a second starter bind the port, too: then
        # the first may lose the port. `prepare_to_listen` sets the option again.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
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
