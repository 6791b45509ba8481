"""Connect this process's terminal with the terminal of a command inside a container."""

import fcntl
import os
import select
import signal
import struct
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_CHUNK = 1 << 16


def is_terminal() -> bool:
    """Return whether both input and output are terminals, so that a person can answer."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def join_terminal(connection: Any, resize: Callable[[int, int], None]) -> None:
    """Pass keys to the connection and its output to the terminal, until the connection ends.

    Every key goes inside, Ctrl-C too. `resize` gets rows and columns, at once and after each
    change.
    """
    stream = getattr(connection, "_sock", connection)  # the SDK wraps a Unix socket
    keyboard, screen = sys.stdin.fileno(), sys.stdout.fileno()
    with _following_size(screen, resize), _raw(keyboard):
        sources = [stream, keyboard]
        while True:
            ready, _, _ = select.select(sources, [], [])
            if stream in ready:
                output = stream.recv(_CHUNK)
                if not output:
                    break
                os.write(screen, output)
            if keyboard in ready:
                keys = os.read(keyboard, _CHUNK)
                if keys:
                    stream.sendall(keys)
                else:
                    sources.remove(keyboard)
    connection.close()


@contextmanager
def _raw(keyboard: int) -> Iterator[None]:
    before = termios.tcgetattr(keyboard)
    tty.setraw(keyboard)
    try:
        yield
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


@contextmanager
def _following_size(screen: int, resize: Callable[[int, int], None]) -> Iterator[None]:
    def follow(_signum: int = 0, _frame: FrameType | None = None) -> None:
        size = fcntl.ioctl(screen, termios.TIOCGWINSZ, b"\0" * 8)
        rows, columns, *_ = struct.unpack("HHHH", size)
        if rows and columns:
            resize(rows, columns)

    follow()
    before = signal.signal(signal.SIGWINCH, follow)
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
