"""Reserve the port to serve on, so that a taken one is known before anything has moved."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from alembic_boot.commands import as_typed
from alembic_boot.description import ServePolicy
from alembic_boot.errors import ServingFailedError

_BUFFER = 64 << 10
"""Bytes in each direction; Linux doubles that for what it has to note beside them."""


@contextmanager
def reserved_port(policy: ServePolicy) -> Iterator[socket.socket]:
    """Give a socket bound to the address to serve on.

    It does not listen yet: until the application is up, probes are refused as they should be.
    Raises ServingFailedError.
    """
    try:
        [(family, kind, protocol, _, address), *_] = socket.getaddrinfo(
            policy.host, policy.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:  # UnicodeError: a label too long for a name
        raise ServingFailedError(
            f"BACKEND_HOST={policy.host!r} is no address to serve on: "
            f"{getattr(error, 'strerror', None) or error}.",
            "127.0.0.1 serves this machine, 0.0.0.0 every network.",
        ) from error
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            raise _refused(policy, error) from error
        # With the option on, Linux would let a second starter bind the port beside this one as
        # long as neither listens, and the first to have bound it might lose it in the end.
        # `prepare_to_listen` puts it back.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        listener.set_inheritable(True)
        yield listener


def prepare_to_listen(listener: socket.socket) -> None:
    """Set the options that the connections of this socket inherit.

    The port can be bound again at once when this socket is closed: connections that are still
    closing would keep it. The system buffers little for a client, else it would take megabytes
    for each one that does not read.
    """
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)


def _refused(policy: ServePolicy, error: OSError) -> ServingFailedError:
    if error.errno == errno.EADDRINUSE:
        other = policy.port + 1 if policy.port < 65535 else policy.port - 1
        return ServingFailedError(
            f"Port {policy.port} on {policy.host} is taken.",
            "Stop what listens there, or choose another: "
            f"`BACKEND_PORT={other} {as_typed('inv start')}`.",
        )
    return ServingFailedError(
        f"Port {policy.port} on {policy.host} cannot be had: {error.strerror}.",
        "Choose another: BACKEND_HOST and BACKEND_PORT.",
    )
