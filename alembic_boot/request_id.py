"""The id of the request that is being answered, for every line that is written meanwhile."""

from contextvars import ContextVar

_current: ContextVar[str | None] = ContextVar("request_id", default=None)


def begin_request(request_id: str) -> None:
    """Give what runs from here in this task, and in the threads that it waits for, this id.

    It is never taken back, for what the server says after a failure belongs to it as well; a
    server gives each request a task of its own.
    """
    _current.set(request_id)


def current_request_id() -> str | None:
    """Return the id of the request that is being answered; None outside of one."""
    return _current.get()
