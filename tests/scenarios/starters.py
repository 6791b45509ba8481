"""Run `inv` many times over and at once: processes that a prepared one forks.

To import everything takes `inv` most of a second. A process that has imported it already, the
zygote, forks into a starter in a few milliseconds. What a starter runs is the real thing, from the
command line on, in an environment and a session of its own; what it does not have of its own are
the modules (the repository's, whatever is in its folder) and the seed of Python's hashes. Worker
processes that it starts are from scratch.
"""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from signal import Signals
from tempfile import TemporaryDirectory

from tests.cluster import PASSWORD
from tests.scenarios.process import DEADLINE, ROOT, Finished, matches, message_of, surroundings


@contextmanager
def starters() -> Iterator["Zygote"]:
    """Give what forks starters; those left at the end are killed by their ids."""
    with (
        TemporaryDirectory(prefix="starters-") as folder,
        subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("zygote.py"))],
            env={"PATH": os.environ.get("PATH", os.defpath), "HOME": folder},
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        ) as process,
    ):
        zygote = Zygote(process, Path(folder))
        try:
            yield zygote
        finally:
            zygote.end()


class Zygote:
    """The prepared process, and what it has reported of its children."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._numbers = count()
        self._waiting: list[int] = []
        self._news = threading.Condition()
        self._is_over = False
        self._facts: dict[str, dict[int, int]] = {"pid": {}, "ready": {}, "status": {}}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def spawn(
        self, folder: Path, *arguments: str, barrier: bool = False, **variables: str
    ) -> "Starter":
        """Start `inv` with these arguments; the environment is `variables`, as for `run`.

        With `barrier` it stops just before it runs its task, and waits for `release`.
        """
        return self._spawn(folder, arguments, variables, Path.touch, barrier=barrier)

    def spawn_piped(self, folder: Path, *arguments: str, **variables: str) -> "PipedStarter":
        """Do the same, with pipes for its streams, which have to be read."""
        return PipedStarter(self._spawn(folder, arguments, variables, os.mkfifo, barrier=False))

    def _spawn(
        self,
        folder: Path,
        arguments: Sequence[str],
        variables: Mapping[str, str],
        make_stream: Callable[[Path], None],
        *,
        barrier: bool,
    ) -> "Starter":
        assert (folder / "backend").resolve() == ROOT / "backend", (
            "the modules are the repository's"
        )
        with self._news:
            number = next(self._numbers)
            starter = Starter(self, number, self._folder / f"{number}")
            for path in (starter.stdout, starter.stderr):
                make_stream(path)
            if barrier:
                self._waiting.append(number)
            self._tell(
                id=number,
                folder=str(folder),
                arguments=arguments,
                variables={**surroundings(), "HOME": str(folder), **variables},
                stdout=str(starter.stdout),
                stderr=str(starter.stderr),
                barrier=barrier,
            )
        self.fact("pid", number)
        return starter

    def release(self) -> None:
        """Let all starters go that wait, at one instant, when the last of them is there."""
        ready, ended = self._facts["ready"], self._facts["status"]
        with self._news:
            self._wait_for(lambda: all(n in ready or n in ended for n in self._waiting), DEADLINE)
            self._waiting.clear()
            self._tell(release=True)

    def fact(self, name: str, number: int, timeout: float = DEADLINE) -> int:
        """Return the `pid` or the `status` of a starter as soon as it is known."""
        with self._news:
            self._wait_for(lambda: number in self._facts[name], timeout)
            return self._facts[name][number]

    def has_ended(self, number: int) -> bool:
        """Whether a starter has ended."""
        with self._news:
            return number in self._facts["status"]

    def end(self) -> None:
        """End the process, which kills the starters that are left."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            status = self._process.wait(DEADLINE)
        finally:
            self._process.kill()
            self._reader.join(DEADLINE)
        assert status == 0, status

    def _tell(self, **fields: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(fields) + "\n")
        self._process.stdin.flush()

    def _wait_for(self, happened: Callable[[], bool], timeout: float) -> None:
        self._news.wait_for(lambda: happened() or self._is_over, timeout)
        assert happened(), "the starter does not get there, or its zygote has died"

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            report = json.loads(line)
            number = report.pop("id")
            with self._news:
                for name, value in report.items():
                    self._facts[name][number] = value
                self._news.notify_all()
        with self._news:
            self._is_over = True
            self._news.notify_all()


@dataclass(frozen=True)
class PipedStarter:
    """One `inv` in the background, as subprocess.Popen has a child."""

    starter: "Starter"

    @property
    def pid(self) -> int:
        """The process's id, which is that of its group too."""
        return self.starter.pid

    @property
    def stdout(self) -> Iterator[str]:
        """The lines of its stdout, as they come."""
        return _piped(self.starter.stdout)

    @property
    def stderr(self) -> Iterator[str]:
        """The lines of its stderr, as they come."""
        return _piped(self.starter.stderr)

    def poll(self) -> int | None:
        """Return its status if it has ended."""
        return self.wait() if self.starter.zygote.has_ended(self.starter.number) else None

    def wait(self, timeout: float | None = None) -> int:
        """Return its status when it has ended. Raises subprocess.TimeoutExpired."""
        seconds = DEADLINE if timeout is None else timeout
        try:
            return self.starter.zygote.fact("status", self.starter.number, seconds)
        except AssertionError:
            raise subprocess.TimeoutExpired("inv", seconds) from None

    def send_signal(self, sig: int) -> None:
        """Send it a signal, unless it has ended."""
        self.starter.signal(Signals(sig))


@dataclass(frozen=True)
class Starter:
    """One `inv` in the background."""

    zygote: Zygote
    number: int
    output: Path

    @property
    def stdout(self) -> Path:
        """The file that its stdout goes to."""
        return self.output.with_suffix(".stdout")

    @property
    def stderr(self) -> Path:
        """The file that its stderr goes to."""
        return self.output.with_suffix(".stderr")

    @property
    def pid(self) -> int:
        """The process's id."""
        return self.zygote.fact("pid", self.number)

    def signal(self, signum: Signals) -> None:
        """Send a signal to the process, unless it has ended."""
        if not self.zygote.has_ended(self.number):
            with suppress(ProcessLookupError):
                os.kill(self.pid, signum)

    def wait_for(self, pattern: str, count: int = 1) -> str:
        """Return the message that matches, of either stream, when it has come `count` times."""
        deadline = time.monotonic() + DEADLINE
        while True:
            is_last_look = self.zygote.has_ended(self.number) or time.monotonic() > deadline
            lines = [*_lines(self.stdout), *_lines(self.stderr)]
            whole = [line[:-1] for line in lines if line.endswith("\n")]
            found = [text for text in map(message_of, whole) if matches(text, pattern)]
            if len(found) >= count:
                return found[count - 1]
            assert not is_last_look, (pattern, lines)
            time.sleep(0.005)

    def finish(self, timeout: float = DEADLINE) -> Finished:
        """Return what it said when it has ended, with the status -9 if SIGKILL has ended it.

        As with `run`, it may show neither a traceback nor the owner's password, and has a sentence
        for each status of its own.
        """
        status = self.zygote.fact("status", self.number, timeout)
        stdout, stderr = (
            tuple(line.rstrip("\n") for line in _lines(path)) for path in (self.stdout, self.stderr)
        )
        everything = "\n".join([*stdout, *stderr])
        assert "Traceback" not in everything, everything
        assert PASSWORD not in everything, everything
        assert status <= 0 or re.fullmatch(r"\S+ .*[.}]", stderr[-1]), everything
        return Finished(status, stdout, stderr)


def _piped(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as pipe:
        yield from pipe


def _lines(path: Path) -> list[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        return list(file)
