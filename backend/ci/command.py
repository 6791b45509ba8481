"""Running a program: its output live and in a file, and nothing of it left when it is over."""

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
"""Seconds that a program has to tidy up after itself when the run is stopped."""
_LAST_WORDS = 5
"""Seconds for what is still on its way; who outlives the program may keep its output open."""
_CHUNK = 1 << 16
_MAKES_OWN = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES")
"""What `make ci` would tell another `make` that runs inside it."""


def run_command(command: Sequence[str], log: Path) -> bool:
    """Run a program to its end, and return whether it succeeded.

    What it writes goes to stdout and is added to `log`. A stop signal of ours becomes a Ctrl-C for
    it and all that it started. Raises ConfigurationError where it cannot be started.
    """
    logger.info("Running %s", shlex.join(command))
    with _copying(log) as output, _started(command, output) as process:
        status = process.wait()
    if status:
        logger.error("%s ended with %d", shlex.join(command), status)
    return status == 0


@contextmanager
def _copying(log: Path) -> Iterator[int]:
    """Give a descriptor to write to: what arrives goes to stdout and to the file."""
    reader, writer = os.pipe()
    copier = Thread(target=_copy, args=(reader, log), daemon=True)
    copier.start()
    try:
        yield writer
    finally:
        os.close(writer)
        copier.join(_LAST_WORDS)


def _copy(reader: int, log: Path) -> None:
    # Where nobody reads our stdout any more the program learns it as it would without us.
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
    """Give a program in a group of processes of its own, all of which end with the block."""
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
