"""How long other callers wait meanwhile: asked by a process of its own, for a busy one is late."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException

from tests.benchmarks.figures import percentile
from tests.scenarios.process import ROOT

LIVE = "/health/live"
READY = "/health/ready"
LIST = "/api/v1/books?limit=1"

INTERVAL = 0.05
"""Seconds between an answer and the next question."""

TIMEOUT = 5.0
"""Seconds after which a question counts as failed."""


@dataclass
class Waits:
    """What one address was like: the seconds of each question, and how many failed.

    A question has failed if no answer came in time, or one of a status from 500 on.
    """

    seconds: list[float] = field(default_factory=list)
    failures: int = 0

    def percentile(self, percent: int) -> float:
        """Return the seconds that so many percent of the questions stay within."""
        return percentile(self.seconds, percent)


Meanwhile = dict[str, Waits]
"""By address; filled when the probing has ended."""


@contextmanager
def probing(port: int, *paths: str) -> Iterator[Meanwhile]:
    """Ask these addresses again and again: before the block, meanwhile, and once after it."""
    command = [sys.executable, "-m", "tests.attacks.probing", str(port), *paths]
    found: Meanwhile = {}
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        # The first line comes when each address has been asked once.
        process.stdout.readline()
        try:
            yield found
        finally:
            told, _ = process.communicate()
            found.update({path: Waits(**waits) for path, waits in json.loads(told).items()})


def ask(port: int, path: str, timeout: float = TIMEOUT) -> int:
    """Return the status of an address, asked over a connection of its own."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=timeout)) as client:
        client.request("GET", path)
        answer = client.getresponse()
        answer.read()
        return answer.status


def _probe(port: int, path: str, waits: Waits, is_over: threading.Event) -> None:
    begun = time.perf_counter()
    try:
        has_failed = ask(port, path) >= 500
    except (OSError, HTTPException):
        has_failed = True
    waits.seconds.append(time.perf_counter() - begun)
    waits.failures += has_failed
    is_over.wait(INTERVAL)


def _main(port: int, paths: Sequence[str]) -> None:
    """Probe until stdin ends, then print what was found."""
    found = {path: Waits() for path in paths}
    is_over = threading.Event()

    def go_on(path: str) -> None:
        while not is_over.is_set():
            _probe(port, path, found[path], is_over)
        _probe(port, path, found[path], is_over)

    threads = [threading.Thread(target=go_on, args=(path,)) for path in paths]
    for path in paths:
        _probe(port, path, found[path], is_over)
    for thread in threads:
        thread.start()
    print("begun", flush=True)  # noqa: T201
    sys.stdin.read()
    is_over.set()
    for thread in threads:
        thread.join()
    print(json.dumps({path: vars(waits) for path, waits in found.items()}))  # noqa: T201


if __name__ == "__main__":
    _main(int(sys.argv[1]), sys.argv[2:])
