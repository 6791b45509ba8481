"""The id of the current request, for every line that is logged meanwhile."""

from contextvars import ContextVar

_current: ContextVar[str | None] = ContextVar("request_id", default=None)


def begin_request(request_id: str) -> None:
    """Set the request id for this task from here on, and for the threads that it waits for.

    It is never reset, because the server's messages after a failure belong to the request as well;
    a server gives each request a task of its own.
    """
    _current.set(request_id)


def current_request_id() -> str | None:
    """Return the id of the current request; None outside of one."""
    return _current.get()
