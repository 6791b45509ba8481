"""Reserve the port to serve on, so that a taken port is known before anything is changed."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from alembic_boot.commands import as_typed, setting
from alembic_boot.description import ServePolicy
from alembic_boot.errors import ServingFailedError

_BUFFER = 64 << 10
"""Bytes in each direction; Linux doubles this number for its own data."""


@dataclass(frozen=True)
class Address:
    """An address to listen on, by the settings HOST and PORT, or those with a prefix."""

    host: str
    port: int
    prefix: str = ""

    @property
    def host_variable(self) -> str:
        """Return the variable of the host."""
        return setting(f"{self.prefix}HOST")

    @property
    def port_variable(self) -> str:
        """Return the variable of the port."""
        return setting(f"{self.prefix}PORT")


@contextmanager
def reserved_port(policy: ServePolicy) -> Iterator[socket.socket]:
    """Yield a socket bound to the address to serve on, as `bound` does.

    The processes that serve inherit it.
    """
    with bound(Address(policy.host, policy.port)) as listener:
        listener.set_inheritable(True)
        yield listener


@contextmanager
def bound(to: Address) -> Iterator[socket.socket]:
    """Yield a socket bound to an address.

    The socket does not listen yet: the boot server does so if the boot takes a while. Raises
    ServingFailedError.
    """
    try:
        [(family, kind, protocol, _, address), *_] = socket.getaddrinfo(
            to.host, to.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:  # UnicodeError: a label too long for a name
        raise ServingFailedError(
            f"{to.host_variable}={to.host!r} is not an address to serve on: "
            f"{getattr(error, 'strerror', None) or error}.",
            "127.0.0.1 serves this machine, 0.0.0.0 every network.",
        ) from error
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            raise _refused(to, error) from error
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


def url_of(listener: socket.socket) -> str:
    """Return the URL by which a bound socket is reached."""
    host, port, *_ = listener.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _refused(to: Address, error: OSError) -> ServingFailedError:
    if error.errno == errno.EADDRINUSE:
        other = to.port + 1 if to.port < 65535 else to.port - 1
        return ServingFailedError(
            f"Port {to.port} on {to.host} is taken.",
            "Stop what listens there, or choose another: "
            f"`{to.port_variable}={other} {as_typed('start')}`.",
        )
    return ServingFailedError(
        f"Port {to.port} on {to.host} cannot be used: {error.strerror}.",
        f"Choose another: {to.host_variable} and {to.port_variable}.",
    )
