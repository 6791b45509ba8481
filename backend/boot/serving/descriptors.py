"""File descriptors: as many as the system allows, and how many of them connections may take."""

import resource

_MOST_CONNECTIONS = 4096
"""A connection takes about 10 kB when it is silent, and 30 kB with an answer under way."""

_RESERVE = 256
"""Descriptors for the database, files, pipes, and connections that are just being closed."""


def allow_all() -> None:
    """Raise the soft limit of this process and its children to the hard limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def most_connections() -> int:
    """Return how many connections this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return connections_within(None if soft == resource.RLIM_INFINITY else soft)


def connections_within(descriptors: int | None) -> int:
    """Return how many connections so many descriptors are enough for; None is any number."""
    if descriptors is None:
        return _MOST_CONNECTIONS
    return min(_MOST_CONNECTIONS, max(descriptors - _RESERVE, descriptors // 2))
