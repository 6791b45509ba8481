"""What a task has to say as data, on stdout."""

import os
import sys
from pathlib import Path
from signal import SIGPIPE

from backend.boot.errors import BootError


def open_closed_streams() -> None:
    """Lead nowhere what the shell has closed (`inv migrate >&-`): everybody expects it to be there.

    Else a connection might get the descriptor, and what others print would go to the database.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 (until the end)


def show(*lines: str) -> None:
    """Print lines to stdout, at once.

    Raises SystemExit, with the status of SIGPIPE and without a word, where whoever read them has
    gone, as `head` does; BootError where they cannot be written for another reason.
    """
    try:
        print(*lines, sep="\n", flush=True)  # noqa: T201 (this is what prints)
    except OSError as error:
        give_up_unwritten()
        if isinstance(error, BrokenPipeError):
            raise SystemExit(128 + SIGPIPE) from None
        raise BootError(
            f"What was to be printed cannot be written: {error.strerror}.", "Send it elsewhere."
        ) from error


def give_up_unwritten() -> None:
    """Keep the interpreter from trying again at its end what could not be written and was told."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
