"""File descriptors: raise their limit, and decide how many connections may use."""

import resource
from contextlib import suppress

_MOST_CONNECTIONS = 4096
"""A connection takes about 10 kB when it is silent, and 30 kB while it is answered."""

_RESERVE = 256
"""Descriptors for the database, files, pipes, and connections that are being closed."""


def allow_all() -> None:
    """Raise the soft limit of this process and its children to the hard limit.

    If the system refuses that, the limit stays as it is.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted_limit(soft, hard), hard))


def wanted_limit(soft: int, hard: int) -> int:
    """Return the soft limit to request: the hard one, or enough if that is infinite.

    macOS has an infinite hard limit, and accepts no such soft limit.
    """
    if hard != resource.RLIM_INFINITY:
        return hard
    enough = _MOST_CONNECTIONS + _RESERVE
    return soft if soft == resource.RLIM_INFINITY else max(soft, enough)


def most_connections() -> int:
    """Return the maximum number of connections of this process."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return connections_within(None if soft == resource.RLIM_INFINITY else soft)


def connections_within(descriptors: int | None) -> int:
    """Return the number of connections for so many descriptors; None means no limit."""
    if descriptors is None:
        return _MOST_CONNECTIONS
    return min(_MOST_CONNECTIONS, max(descriptors - _RESERVE, descriptors // 2))
