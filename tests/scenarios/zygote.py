"""A process that has imported what `inv` needs, and forks a child for each command it is told.

Run by `starters`; see there. It reads one JSON object a line on stdin, and writes such lines to
stdout: `{"id": …, "pid": …}` of a child that was forked, `{"id": …, "ready": true}` of one that
waits for the release, `{"id": …, "status": …}` of one that has ended. When stdin ends, it kills the
children that are left. It has no threads, and leaves no lock behind that a thread would hold.
"""

import atexit
import gc
import json
import os
import pkgutil
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from select import select
from typing import Any, NoReturn

ROOT = Path(__file__).parents[2]
INV = Path(sys.executable).parent / "inv"

PACKAGES = (
    "alembic_boot.migration",
    "alembic_boot.adoption",
    "alembic_boot.postgres",
    "alembic_boot.running",
    "alembic_boot.serving",
    "backend.models",
)
"""Are imported with all that is in them."""

MODULES = (
    "alembic.command",
    "alembic_boot.output.progress",
    "alembic_boot.seeding",
    "alembic_boot.waiting",
    "alembic_boot.start",
    "backend.booting",
    "backend.main",
    "backend.seeds",
    "backend.settings",
    "invoke.main",
    "logging.config",
    "psycopg2.extras",
    "pythonjsonlogger.json",
    "sqlalchemy.dialects.postgresql.psycopg2",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
)


@dataclass(frozen=True)
class Command:
    """What a child is to run, and the pipe whose end it waits for before it does."""

    number: int
    folder: str
    arguments: list[str]
    variables: dict[str, str]
    release: int | None
    report: int

    def run(self) -> NoReturn:
        """Be the process that `inv` is in this folder, and end with its status."""
        from invoke.main import program

        os.chdir(self.folder)
        os.environ.clear()
        os.environ.update(self.variables)
        time.tzset()
        sys.argv = [str(INV), *self.arguments]
        sys.path[1:1] = filter(None, self.variables.get("PYTHONPATH", "").split(os.pathsep))
        sys.modules["__main__"].__file__ = str(INV)  # which worker processes import first
        execute = program.execute

        def wait_and_execute() -> None:
            self._wait()
            execute()

        program.execute = wait_and_execute  # type: ignore[method-assign]
        try:
            program.run()
        except SystemExit as end:
            if not isinstance(end.code, int | None):
                raise
            _exit(end.code or 0)
        _exit(0)

    def _wait(self) -> None:
        if self.release is not None:
            _write(self.report, id=self.number, ready=True)
            os.read(self.release, 1)
            os.close(self.release)
        os.close(self.report)


def _exit(status: int) -> NoReturn:
    """End as the interpreter does, except that no module is taken down, which takes longest."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def preload() -> None:
    """Import what a child would, as if from nowhere: `inv` finds the project in its folder."""
    sys.path[0] = str(ROOT)
    for name in MODULES:
        import_module(name)
    for name in PACKAGES:
        package = import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            import_module(module.name)
    sys.path[0] = str(INV.parent)
    assert threading.active_count() == 1
    gc.collect()
    gc.freeze()


def next_command() -> Command:
    """Return, in each child that is forked, what it is to run; the parent never returns."""
    report = os.dup(1)
    children: dict[int, int] = {}
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    release, releaser = os.pipe()
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    buffer = b""
    while True:
        readable, _, _ = select([0, woken], [], [])
        if woken in readable:
            os.read(woken, 512)
            _reap(children, report)
        if 0 not in readable:
            continue
        if not (data := os.read(0, 1 << 16)):
            _end(children)
        *lines, buffer = (buffer + data).split(b"\n")
        for request in map(json.loads, lines):
            if "release" in request:
                os.close(releaser)
                os.close(release)
                release, releaser = os.pipe()
                continue
            pid = os.fork()
            if pid:
                children[pid] = request["id"]
                _write(report, id=request["id"], pid=pid)
                continue
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGHUP, signal.SIG_DFL)  # also if the tests run under nohup
            for descriptor in (woken, waker, releaser):
                os.close(descriptor)
            if not request["barrier"]:
                os.close(release)
            _redirect(request["stdout"], request["stderr"])
            os.setsid()
            return Command(
                request["id"],
                request["folder"],
                request["arguments"],
                request["variables"],
                release if request["barrier"] else None,
                report,
            )


def _redirect(stdout: str, stderr: str) -> None:
    flags = os.O_WRONLY | os.O_APPEND
    for target, path, mode in (
        (0, os.devnull, os.O_RDONLY),
        (1, stdout, flags),
        (2, stderr, flags),
    ):
        descriptor = os.open(path, mode)
        os.dup2(descriptor, target)
        os.close(descriptor)


def _reap(children: dict[int, int], report: int) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        _write(report, id=children.pop(pid), status=os.waitstatus_to_exitcode(status))


def _end(children: dict[int, int]) -> NoReturn:
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    for pid in children:
        os.waitpid(pid, 0)
    sys.exit()


def _write(report: int, **fields: Any) -> None:
    """Write a line at once, which keeps those of several processes apart."""
    with suppress(BrokenPipeError):  # nobody listens any more: stdin tells
        os.write(report, json.dumps(fields).encode() + b"\n")


if __name__ == "__main__":
    preload()
    next_command().run()
