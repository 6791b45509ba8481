"""Tell our work in a process, which includes env.py's, from that of an application beside it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_call: ContextVar[object] = ContextVar("call", default=None)
"""The call of the Python API to which the running code belongs."""


@contextmanager
def own_call() -> Iterator[None]:
    """Mark the code of the block, its asyncio tasks and what it gives to `asyncio.to_thread`.

    An application may start threads meanwhile, and these are not marked. Threads that env.py starts
    in another way are not marked either: Python does not tell who has started a thread.
    """
    if _call.get() is not None:
        yield
        return
    token = _call.set(object())
    try:
        yield
    finally:
        _call.reset(token)


def is_own_call() -> bool:
    """Return whether a call of the Python API runs this code."""
    return _call.get() is not None


def own_work() -> Callable[[], bool]:
    """Return what tells whether the running code is ours.

    In a call of the Python API that is the code with its mark. Elsewhere the process is a command's
    own: ours are this thread, and all threads that begin after this call.
    """
    if (call := _call.get()) is not None:
        return lambda: _call.get() is call
    others = frozenset(threading.enumerate()) - {threading.current_thread()}
    return lambda: threading.current_thread() not in others
