"""Stdout for a task's own output: its data, and its log if that goes there."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGPIPE
from typing import Any

from alembic_boot.errors import BootError

_stdout: int | None = None
"""The descriptor of the real stdout, while stdout is reserved."""

_has_line = False
"""Whether a live line is drawn on the terminal that the log goes to."""


def prepare_streams(*, is_reserved: bool) -> None:
    """Open the streams that the shell has closed, and reserve stdout for the task on request.

    All code expects the streams to exist (`inv migrate >&-`): otherwise a connection might get the
    descriptor, and printed text would go to the database. A closed stdin has ended.

    Reserved means: only `show` and the log write to stdout. Output of env.py, of a revision or of
    their child processes goes to stderr, also if it is written below Python, and also after the
    task.
    """
    _open_closed()
    _release()
    if is_reserved:
        _reserve()


@contextmanager
def reserved() -> Iterator[None]:
    """Reserve stdout for the task within the block, unless it is reserved already."""
    if _stdout is not None:
        yield
        return
    _reserve()
    try:
        yield
    finally:
        _release()


@contextmanager
def below_log() -> Iterator[None]:
    """Let the log of the block go through sys.stdout, so that a live line stays below it.

    Nothing changes if the log goes elsewhere: `inv migrate > file` has the line on the terminal.
    """
    global _has_line  # noqa: PLW0603
    _has_line = _stdout is not None and os.isatty(_stdout)
    try:
        yield
    finally:
        _has_line = False


class Unbuffered:
    """The real stdout as a stream without a buffer: there is nothing to flush at the end."""

    def write(self, text: str) -> None:
        """Write a text. Raises OSError."""
        _write(sys.stdout.fileno() if _stdout is None else _stdout, text)

    def flush(self) -> None:
        """Do nothing."""

    def isatty(self) -> bool:
        """Return whether the real stdout is a terminal."""
        return os.isatty(sys.stdout.fileno() if _stdout is None else _stdout)


def log_stream(name: str) -> Any:
    """Return the present stream of the log: `name` is stdout or stderr."""
    if name == "stdout" and _stdout is not None and not _has_line:
        return Unbuffered()
    return getattr(sys, name)


def _open_closed() -> None:
    for name, mode in {"stdin": "r", "stdout": "w", "stderr": "w"}.items():
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 (until the end)


def _reserve() -> None:
    global _stdout  # noqa: PLW0603 (descriptors are process-wide themselves)
    sys.stdout.flush()
    _stdout = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())


def _release() -> None:
    global _stdout  # noqa: PLW0603
    if _stdout is not None:
        sys.stdout.flush()
        os.dup2(_stdout, sys.stdout.fileno())
        os.close(_stdout)
        _stdout = None


def show(*lines: str) -> None:
    """Print lines to stdout at once, even while stdout is reserved.

    Raises SystemExit, with the status of SIGPIPE and without a message, if the reader has gone, as
    `head` does. Raises BootError if the lines cannot be written for another reason.
    """
    try:
        sys.stdout.flush()
        Unbuffered().write("".join(f"{line}\n" for line in lines))
    except OSError as error:
        give_up_unwritten()
        if isinstance(error, BrokenPipeError):
            raise SystemExit(128 + SIGPIPE) from None
        raise BootError(
            f"The output cannot be written: {error.strerror}.", "Send it elsewhere."
        ) from error


def _write(descriptor: int, text: str) -> None:
    # A title may have characters that the terminal's encoding does not have.
    # The stream above a live line has no encoding.
    rest = memoryview(text.encode(sys.stdout.encoding or "utf-8", "backslashreplace"))
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def give_up_unwritten() -> None:
    """Keep the interpreter from writing again, at its end, what could not be written."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
