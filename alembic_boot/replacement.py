"""Replace this process by a command: it gets the process id, the signals and the exit status."""

import os
import resource
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from alembic_boot.errors import ConfigurationError, ServingFailedError

_DESCRIPTORS = resource.getrlimit(resource.RLIMIT_NOFILE)
"""The limit with which this process was started; the boot server raises it."""

_IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)
"""Signals that Python ignores, which a command would inherit."""


def find_program(command: Sequence[str]) -> str:
    """Return the path of a command's program: as a shell finds it, else beside this Python.

    Raises ConfigurationError.
    """
    if not command:
        raise ConfigurationError(
            "There is no command to run.", "Name it after --, as in: run -- gunicorn app:app"
        )
    name = command[0]
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        raise ConfigurationError(
            f"The command {name} is not found.",
            "Install it, or give its path. Nothing was changed.",
        )
    return found


def replace_process(program: str, command: Sequence[str]) -> NoReturn:
    """Run the program in the place of this process. Raises ServingFailedError."""
    sys.stdout.flush()
    sys.stderr.flush()
    resource.setrlimit(resource.RLIMIT_NOFILE, _DESCRIPTORS)
    for number in _IGNORED:
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execv(program, [*command])  # noqa: S606 (that is what was asked for)
    except OSError as error:
        raise ServingFailedError(
            f"{program} cannot be run: {error.strerror}.", "Check that it is a program."
        ) from error
