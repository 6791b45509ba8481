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
        with _marking_threads():
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


_calls = 0
"""The calls that run now: the code of a status page may run beside a call of the Python API."""
_counting = threading.Lock()
_start = threading.Thread.start
_is_wrapped = False
"""Whether threads start by way of `_start_marked`."""


def _start_marked(thread: threading.Thread) -> None:
    if (call := current_call()) is not None:
        _threads[thread] = call
    _start(thread)


@contextmanager
def _marking_threads() -> Iterator[None]:
    """Mark each thread that the code of a call starts: Python does not tell who has."""
    global _calls, _start, _is_wrapped  # noqa: PLW0603 (a process has one way to start threads)
    with _counting:
        _calls += 1
        if not _is_wrapped:
            _start = threading.Thread.start
            threading.Thread.start = _start_marked  # type: ignore[assignment,method-assign]
            _is_wrapped = True
    try:
        yield
    finally:
        with _counting:
            _calls -= 1
            # A debugger may have wrapped ours meanwhile: then it stays.
            if _calls == 0 and threading.Thread.start is _start_marked:
                threading.Thread.start = _start  # type: ignore[method-assign]
                _is_wrapped = False
