"""A limit for the memory of a process and its children, which counts from the first instruction."""

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

MEGABYTE = 1 << 20

_CGROUP = Path("/sys/fs/cgroup")

_WATCH_INTERVAL = 0.05
"""Seconds between two looks at a process that no cgroup limits."""


@dataclass(frozen=True)
class Controller:
    """A memory controller of the kernel: its folder, and the names of the files in a group."""

    root: Path
    limit: str
    swap: str
    """The file of the limit that counts swapped memory, too; a kernel may have none."""


CONTROLLERS = (
    Controller(_CGROUP / "memory", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
    Controller(_CGROUP, "memory.max", "memory.swap.max"),
)
"""Version 1, then version 2."""


@dataclass(frozen=True)
class Limit:
    """A limit in bytes. A command that begins with `prefix` is started inside the limit."""

    size: int
    group: Path | None
    """The group of the kernel; None where no group can be made."""

    @property
    def prefix(self) -> Sequence[str]:
        """The words that move a shell into the group, before the shell becomes the command."""
        if self.group is None:
            return ()
        return ("/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self.group / "cgroup.procs"))

    @contextmanager
    def watched(self, pid: int) -> Iterator[None]:
        """Kill a process that goes beyond the limit, where the kernel does not do that."""
        if self.group is not None:
            yield
            return
        is_over = threading.Event()

        def watch() -> None:
            while not is_over.wait(_WATCH_INTERVAL):
                if _status(pid).get("VmRSS", 0) > self.size:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                    return

        watcher = threading.Thread(target=watch, name="memory watch")
        watcher.start()
        try:
            yield
        finally:
            is_over.set()
            watcher.join()


@contextmanager
def limited(size: int) -> Iterator[Limit]:
    """Give a limit of so many bytes: a group of the kernel, else a watch of resident memory."""
    group = _new_group(size)
    try:
        yield Limit(size, group)
    finally:
        if group is not None:
            _remove(group)


def peak(pid: int) -> int:
    """Return the most bytes of resident memory that a process has had; 0 after its end."""
    return _status(pid).get("VmHWM", 0)


def _new_group(size: int) -> Path | None:
    for controller in CONTROLLERS:
        group = controller.root / f"moriai-attacks-{uuid4().hex[:12]}"
        try:
            group.mkdir()
        except OSError:  # not root, or a file system that is read-only
            continue
        try:
            (group / controller.limit).write_text(str(size))
        except OSError:  # a folder that is no group of this controller
            group.rmdir()
            continue
        with suppress(OSError):  # a kernel that doesn't count swapped memory
            (group / controller.swap).write_text(
                "0" if controller.swap == "memory.swap.max" else str(size)
            )
        return group
    return None


def _remove(group: Path) -> None:
    """Remove the group when the kernel has let go of its last process."""
    is_over = threading.Event()
    for _ in range(200):
        try:
            group.rmdir()
        except OSError:
            is_over.wait(_WATCH_INTERVAL)
        else:
            return
    group.rmdir()


def _status(pid: int) -> dict[str, int]:
    """Return the sizes that the kernel tells of a process, in bytes; none after its end."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except FileNotFoundError:
        return {}
    sizes = (line.split() for line in lines if line.endswith(" kB"))
    return {name.rstrip(":"): int(size) * 1024 for name, size, _ in sizes}
