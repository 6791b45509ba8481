"""Run a program: its output goes live to stdout and to a file, and no process stays."""

import logging
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

from alembic_boot.errors import ConfigurationError

logger = logging.getLogger(__name__)

_GRACE = 60
"""Seconds that a program has to clean up when the run is stopped."""
_LAST_WORDS = 5
"""Seconds for the last output; a process that outlives the program may keep the pipe open."""
_CHUNK = 1 << 16
_MAKES_OWN = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES")
"""Variables by which `make ci` would affect a `make` that runs inside it."""


def run_command(command: Sequence[str], log: Path) -> bool:
    """Run a program to its end, and return whether it succeeded.

    Its output goes to stdout and is appended to `log`. A stop signal to this process becomes a
    Ctrl-C for the program and its children. Raises ConfigurationError if the program cannot be
    started.
    """
    logger.info("Running %s", shlex.join(command))
    with _copying(log) as output, _started(command, output) as process:
        status = process.wait()
    if status:
        logger.error("%s ended with %d", shlex.join(command), status)
    return status == 0


@contextmanager
def _copying(log: Path) -> Iterator[int]:
    """Yield a descriptor for output: all data goes to stdout and to the file."""
    reader, writer = os.pipe()
    copier = Thread(target=_copy, args=(reader, log), daemon=True)
    copier.start()
    try:
        yield writer
    finally:
        os.close(writer)
        copier.join(_LAST_WORDS)


def _copy(reader: int, log: Path) -> None:
    # If our stdout is closed, the program gets an error on its next write, as it would without us.
    with (
        open(reader, "rb", buffering=0) as source,
        log.open("ab", buffering=0) as file,
        suppress(BrokenPipeError),
    ):
        while chunk := source.read(_CHUNK):
            file.write(chunk)
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()


@contextmanager
def _started(command: Sequence[str], output: int) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a program in its own process group; the whole group ends with the block."""
    environment = {name: text for name, text in os.environ.items() if name not in _MAKES_OWN}
    try:
        process = subprocess.Popen(  # noqa: S603
            command,
            env={**environment, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise ConfigurationError(
            f"{command[0]} cannot be run: {error.strerror}.", "Install it, or `make install`."
        ) from error
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
