"""Read a long history in a child process, while this process imports Alembic.

Reading the headers of 5,000 revisions takes more than half as long as that import. The place of the
revisions is a guess, because only Alembic knows it. A wrong guess costs only a moment: a file that
the child has not read, or could not read, is read later, as without a child.
"""

import configparser
import marshal
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NoReturn

from alembic_boot.description import AlembicConfig
from alembic_boot.history.headers import is_source, read_file
from alembic_boot.history.history import Revision
from alembic_boot.signals import STOP_SIGNALS, held_back

_LONG = 500
"""Files; for fewer, a process costs more than it saves."""

_FRESH = 2.0
"""Seconds after which the answer is dropped, because a file may have been edited since."""


_OTHER_PLACES = ("version_locations", "recursive_version_locations", "sourceless")
"""Options with which revisions may be elsewhere."""


@dataclass(frozen=True)
class _Child:
    pid: int
    reader: int
    begun: float = field(default_factory=time.monotonic)

    def answer(self) -> Mapping[str, Revision]:
        """Return the revisions by path; none if the answer is too old, or the child has died."""
        if time.monotonic() - self.begun > _FRESH:
            return {}
        with open(self.reader, "rb", closefd=False) as pipe:
            answer = pipe.read()
        try:
            found = [Revision(*it) for it in marshal.loads(answer)]  # noqa: S302 (our own child's)
        except (EOFError, ValueError, TypeError):
            return {}
        return {it.file: it for it in found if it.file}

    def end(self) -> None:
        """End the child completely."""
        os.close(self.reader)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


_child: _Child | None = None


@contextmanager
def reading_ahead(alembic: AlembicConfig) -> Iterator[None]:
    """Make a child process read the headers of this project from here on.

    `read_ahead` returns the answer. If it is never called, the end of the block ends the child.
    """
    global _child  # noqa: PLW0603 (one history is booted at a time)
    try:
        files = likely_files(alembic)
    except OSError:  # Alembic reads the folder soon, and reports the fault
        files = []
    # A child may wait for ever for a lock that another thread held at the fork. If SIGCHLD is
    # ignored, the system may give the id of an ended child to another process.
    may_fork = (
        threading.active_count() == 1 and signal.getsignal(signal.SIGCHLD) is not signal.SIG_IGN
    )
    if len(files) < _LONG or not may_fork:
        yield
        return
    try:
        with held_back():
            _child = _start(files)
        yield
    finally:
        child, _child = _child, None
        if child is not None:
            child.end()


def read_ahead() -> Mapping[str, Revision]:
    """Return the revisions that were read ahead, by path, to the first caller only."""
    global _child  # noqa: PLW0603
    child = _child
    if child is None:
        return {}
    try:
        return child.answer()
    finally:
        _child = None
        child.end()


def _start(files: list[str]) -> _Child | None:
    """Return a child that reads these files; None if the system allows no more processes."""
    reader, writer = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        os.close(reader)
        os.close(writer)
        return None
    if pid == 0:
        _read(files, reader, writer)
    os.close(writer)
    return _Child(pid, reader)


def _read(files: list[str], reader: int, writer: int) -> NoReturn:
    """Answer, in the child, and exit without closing or logging anything of the parent's."""
    try:
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        # The parent may be killed. The port, the embedded server and the pipe must not wait for the
        # child: a write to a pipe without a reader ends this process.
        os.close(reader)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.closerange(0, writer)
        os.closerange(writer + 1, os.sysconf("SC_OPEN_MAX"))
        with open(writer, "wb") as pipe:
            marshal.dump([tuple(it) for it in map(read_file, files) if it], pipe)
    finally:
        # If something is wrong with a file, the parent reads that file too, and reports it.
        os._exit(0)


def likely_files(alembic: AlembicConfig) -> list[str]:
    """Return the sources in `script_location/versions`; none if the configuration is unusual.

    Raises OSError if the folder cannot be read.
    """
    here = alembic.file.absolute().parent
    config = configparser.ConfigParser({"here": str(here)})
    try:
        config.read(alembic.file, encoding="utf-8")
        location = config.get(alembic.name, "script_location", fallback="")
    except (configparser.Error, ValueError):  # Alembic reads it soon, and reports the fault
        return []
    versions = os.path.realpath(alembic.folder / location / "versions")
    if any(config.has_option(alembic.name, name) for name in _OTHER_PLACES):
        return []
    if not location or not os.path.isdir(versions):  # noqa: PTH112 (text goes on as text)
        return []
    names = os.listdir(versions)  # noqa: PTH208 (no Path for each of thousands of files)
    return [f"{versions}/{name}" for name in names if is_source(name)]
