"""Tell our work in a process, which includes env.py's, from that of an application beside it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from weakref import WeakKeyDictionary


class OwnCall:
    """One piece of our work: a call of the Python API, or a run of the project's code."""

    runs_their_code = False
    """True while code of the project runs: env.py or a revision."""
    is_over = False
    """True at the end; env.py may have started threads and tasks that go on."""


_call: ContextVar[OwnCall | None] = ContextVar("call", default=None)

_threads: WeakKeyDictionary[threading.Thread, OwnCall] = WeakKeyDictionary()
"""The threads that the code of a call has started."""


@contextmanager
def own_call() -> Iterator[OwnCall]:
    """Mark the code of the block, its asyncio tasks, and the threads that this code starts.

    An application may start threads meanwhile, and these are not marked. In a marked block, the
    mark stays the same.
    """
    if (outer := current_call()) is not None:
        yield outer
        return
    call = OwnCall()
    token = _call.set(call)
    try:
        with _marking_threads(call):
            yield call
    finally:
        call.is_over = True
        _call.reset(token)


def current_call() -> OwnCall | None:
    """Return the call that the running code belongs to, if the call is not over."""
    call = _call.get() or _threads.get(threading.current_thread())
    return None if call is None or call.is_over else call


def runs_their_code() -> bool:
    """Return whether the running code is the project's own, run by a call: env.py or a revision."""
    call = current_call()
    return call is not None and call.runs_their_code


def own_work() -> Callable[[], bool]:
    """Return what tells whether the running code is ours: of this call, or of any if there is none.

    Only in a command's own process is there none: nothing else calls us there.
    """
    expected = current_call()
    if expected is None:
        return lambda: current_call() is not None
    return lambda: current_call() is expected


@contextmanager
def _marking_threads(call: OwnCall) -> Iterator[None]:
    """Mark each thread that the code of this call starts: Python does not tell who has."""
    start = threading.Thread.start

    def start_marked(thread: threading.Thread) -> None:
        if current_call() is call:
            _threads[thread] = call
        start(thread)

    threading.Thread.start = start_marked  # type: ignore[assignment,method-assign]
    try:
        yield
    finally:
        if threading.Thread.start is start_marked:  # else: wrapped meanwhile, by a debugger
            threading.Thread.start = start  # type: ignore[method-assign]
