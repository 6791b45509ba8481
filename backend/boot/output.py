"""What a task has to say as data, on stdout."""

import os
import sys
from pathlib import Path
from signal import SIGPIPE

from backend.boot.errors import BootError

_data: int | None = None
"""The descriptor of the real stdout, if a task has reserved it for data."""


def prepare_streams(*, for_data: bool) -> None:
    """Open the streams that the shell has closed, and reserve stdout for data if asked to.

    Everybody expects the streams to be there (`inv migrate >&-`): else a connection might get the
    descriptor, and what others print would go to the database.

    Reserved means: only `show` writes to stdout. What env.py, a revision or a process that they
    start prints goes to stderr, also what is written below Python, and also after the task.
    """
    _open_closed()
    _release()
    if for_data:
        _reserve()


def _open_closed() -> None:
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 (until the end)


def _reserve() -> None:
    global _data  # noqa: PLW0603 (descriptors are process-wide themselves)
    sys.stdout.flush()
    _data = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())


def _release() -> None:
    global _data  # noqa: PLW0603
    if _data is not None:
        sys.stdout.flush()
        os.dup2(_data, sys.stdout.fileno())
        os.close(_data)
        _data = None


def show(*lines: str) -> None:
    """Print lines to stdout, at once: also where stdout is reserved for them.

    Raises SystemExit, with the status of SIGPIPE and without a word, where whoever read them has
    gone, as `head` does; BootError where they cannot be written for another reason.
    """
    try:
        sys.stdout.flush()
        _write(_data or sys.stdout.fileno(), "".join(f"{line}\n" for line in lines))
    except OSError as error:
        give_up_unwritten()
        if isinstance(error, BrokenPipeError):
            raise SystemExit(128 + SIGPIPE) from None
        raise BootError(
            f"What was to be printed cannot be written: {error.strerror}.", "Send it elsewhere."
        ) from error


def _write(descriptor: int, text: str) -> None:
    # A title may have characters that the terminal's encoding does not have.
    rest = memoryview(text.encode(sys.stdout.encoding, "backslashreplace"))
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def give_up_unwritten() -> None:
    """Keep the interpreter from trying again at its end what could not be written and was told."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
