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
from alembic_boot.serving.handover import with_facts
from alembic_boot.signals import IGNORED_AT_START

_DESCRIPTORS = resource.getrlimit(resource.RLIMIT_NOFILE)
"""The limit with which this process was started; the boot server raises it."""

_ENVIRONMENT = dict(os.environ)
"""The environment with which this process was started; env.py may change it, as by a .env file."""

_UMASK = os.umask(0o077)
os.umask(_UMASK)

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
    os.umask(_UMASK)
    for number in _IGNORED:
        signal.signal(number, signal.SIG_DFL)
    for number in IGNORED_AT_START:
        signal.signal(number, signal.SIG_IGN)
    try:
        os.execve(program, [*command], with_facts(_ENVIRONMENT))  # noqa: S606 (that is what was asked for)
    except OSError as error:
        raise ServingFailedError(
            f"{program} cannot be run: {error.strerror}.", "Check that it is a program."
        ) from error
