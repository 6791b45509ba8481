"""SIGTERM, SIGINT and SIGHUP end every stage in order: context managers close their resources."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

IGNORED_AT_START = frozenset(it for it in STOP_SIGNALS if signal.getsignal(it) is signal.SIG_IGN)
"""The stop signals that whatever started this process has set to be ignored, as `nohup` does."""


class Stopped(SystemExit):
    """A stop signal arrived; the exit status is 128 plus the signal's number, as in shells."""

    def __init__(self, signum: int) -> None:
        super().__init__(128 + signum)
        self.name = signal.Signals(signum).name


_received: Stopped | None = None

_is_held_back = False

_are_handlers_ours = False


def raise_if_stopped() -> None:
    """Raise Stopped if a stop signal came and another `except` has swallowed it."""
    if _received is not None:
        raise _received


def is_stopping() -> bool:
    """Return whether a stop signal came: the running code is closing things in order."""
    return _received is not None


def _stop(signum: int, _frame: FrameType | None) -> None:
    global _received  # noqa: PLW0603 (signals are process-wide themselves)
    # A second signal must not interrupt the closing that the first one began.
    for stop_signal in STOP_SIGNALS:
        signal.signal(stop_signal, signal.SIG_IGN)
    _received = Stopped(signum)
    if not _is_held_back:
        raise _received


@contextmanager
def held_back() -> Iterator[None]:
    """Raise Stopped after the block, not inside: new objects must be noted before the end.

    Only for blocks that take no time.
    """
    global _is_held_back  # noqa: PLW0603
    _is_held_back = True
    try:
        yield
    finally:
        _is_held_back = False
    raise_if_stopped()


@contextmanager
def stopping_on_signals() -> Iterator[None]:
    """Raise Stopped in the main thread when a stop signal arrives.

    A handler of our own is needed even for SIGTERM's default effect: as process 1 of a container a
    process without a handler ignores it.
    """
    global _received, _are_handlers_ours  # noqa: PLW0603
    _received = None
    were_ours, _are_handlers_ours = _are_handlers_ours, True
    previous = {
        number: signal.signal(number, _stop)
        for number in STOP_SIGNALS
        # `nohup` sets SIGHUP to be ignored, and that must stay.
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        _received, _are_handlers_ours = None, were_ours


_actions: list[Callable[[], None]] = []

_watcher = ExitStack()
"""What watches for a signal as long as there are actions."""


@contextmanager
def interrupting(action: Callable[[], None]) -> Iterator[None]:
    """Call `action` from another thread, again and again, as soon as a stop signal arrives.

    Python runs signal handlers between two bytecodes, so a statement that runs for an hour inside
    the driver's C code would delay a stop by an hour. The C handler itself writes to the wakeup
    descriptor; `action` ends the statement, and then the Python handler runs. Calling it once is
    not enough: the statement may begin just after the first time. Several blocks may be open, and
    they may end in any order: each one's action is called, because any of them may be the one that
    waits.

    Nothing is set up in other threads than the main one, which get no signals, and where an
    application handles signals itself: its event loop may need the wakeup descriptor.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or not (_are_handlers_ours or _are_handlers_pythons()):
        yield
        return
    _actions.append(action)
    try:
        if len(_actions) == 1:
            _watcher.enter_context(_watching())
        yield
    finally:
        _actions.remove(action)
        if not _actions:
            _watcher.close()


def _are_handlers_pythons() -> bool:
    """Return whether Python alone handles signals, as when a person types `alembic`."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return False
    descriptor = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(descriptor)
    return descriptor == -1 or bool(_actions)


@contextmanager
def _watching() -> Iterator[None]:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    closing = threading.Event()

    def watch() -> None:
        while number := os.read(reader, 1):
            while number[0] in STOP_SIGNALS and not closing.is_set():
                for action in tuple(_actions):
                    action()
                closing.wait(0.5)

    previous = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    watcher = threading.Thread(target=watch, name="stop-watcher", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(previous)
        closing.set()
        os.close(writer)  # ends the watcher's read
        watcher.join()
        os.close(reader)
