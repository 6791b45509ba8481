"""A kubelet as far as one pod needs one: it starts a process, probes it, and kills what fails.

It takes the numbers of the probes from the manifest. As a real kubelet does, it asks nothing but
the startup probe until that passes; then it asks the other two, each at its own pace.
"""

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from signal import SIGTERM

from tests.deploy.manifests import KINDS, Pod, Probe
from tests.scenarios.process import Finished, Running

_HEADERS = {"User-Agent": "kube-probe/1.37", "Accept": "*/*", "Connection": "close"}

Start = Callable[[], AbstractContextManager[Running]]


@dataclass(frozen=True)
class Answer:
    """The result of one probe."""

    status: int | None
    """None if there was no answer in time."""
    text: str

    @property
    def is_good(self) -> bool:
        """Return whether a kubelet counts it as a success."""
        return self.status is not None and 200 <= self.status < 400


@dataclass
class Streak:
    """The verdict on a probe: it changes when enough answers in a row say so."""

    probe: Probe
    verdict: bool | None
    _last: bool | None = None
    _length: int = 0

    def add(self, is_good: bool) -> bool | None:
        """Count one answer, and return the verdict."""
        self._length = self._length + 1 if is_good is self._last else 1
        self._last = is_good
        needed = self.probe.success_threshold if is_good else self.probe.failure_threshold
        if self._length >= needed:
            self.verdict = is_good
        return self.verdict


def ask(port: int, probe: Probe) -> Answer:
    """Ask as a kubelet does: one connection for each probe, and no answer after the timeout."""
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=probe.timeout)
    try:
        connection.request("GET", probe.path, headers=_HEADERS)
        response = connection.getresponse()
        answer = Answer(response.status, response.read().decode())
    except (OSError, http.client.HTTPException) as error:
        return Answer(None, repr(error))
    finally:
        connection.close()
    return answer if time.monotonic() - began <= probe.timeout else Answer(None, "too late")


class Kubelet:
    """Runs the process of one pod, and notes what happens to it."""

    def __init__(self, pod: Pod, port: int, start: Start) -> None:
        self.starts = 0
        self.killed_by: list[str] = []
        """The probe of each kill."""
        self.cut_off = 0
        """Processes that the grace was too short for."""
        self.ended: list[Finished] = []
        """What the others said, the last of them when the pod was deleted."""
        self.readiness: list[bool] = []
        """Each change."""
        self.answers: dict[str, list[Answer]] = {kind: [] for kind in KINDS}
        self.process: Running | None = None
        self._pod = pod
        self._port = port
        self._start = start
        self._is_deleted = threading.Event()

    @property
    def is_ready(self) -> bool:
        """Return whether a Service sends requests to the pod now."""
        return self.readiness[-1:] == [True]

    def run(self) -> None:
        """Start the process, and again whenever it has ended, until the pod is deleted."""
        while not self._is_deleted.is_set():
            with self._start() as self.process:
                self.starts += 1
                if self._has_started(self.process):
                    self._watch(self.process)
                else:
                    self._end(self.process)
            if self.starts > 1:
                self._is_deleted.wait(self._pod.backoff * 2 ** (self.starts - 2))

    def delete(self) -> None:
        """Have the pod stopped; `run` returns when that is done."""
        self._is_deleted.set()

    def _has_started(self, process: Running) -> bool:
        """Return whether the startup probe passes before it has failed too often."""
        for verdict in self._verdicts("startupProbe", process, at_first=None):
            if verdict is False:
                self.killed_by.append("startupProbe")
            if verdict is not None:
                return verdict
        return False

    def _watch(self, process: Running) -> None:
        """Ask the two other probes until the process has ended, and end it if it is not alive."""
        with ThreadPoolExecutor() as pool:
            readiness = pool.submit(self._follow_readiness, process)
            if not all(self._verdicts("livenessProbe", process, at_first=True)):
                self.killed_by.append("livenessProbe")
            self._end(process)
            readiness.result()

    def _follow_readiness(self, process: Running) -> None:
        for verdict in self._verdicts("readinessProbe", process, at_first=False):
            if verdict is not self.is_ready:
                self.readiness.append(bool(verdict))
        if self.is_ready:
            self.readiness.append(False)

    def _verdicts(
        self, kind: str, process: Running, at_first: bool | None
    ) -> Iterator[bool | None]:
        """Probe at its pace while the process lives; yield the verdict after each answer."""
        probe = self._pod.probes[kind]
        streak = Streak(probe, at_first)
        self._is_deleted.wait(probe.initial_delay)
        while process.is_alive and not self._is_deleted.is_set():
            began = time.monotonic()
            answer = ask(self._port, probe)
            self.answers[kind].append(answer)
            yield streak.add(answer.is_good)
            self._is_deleted.wait(max(0, began + probe.period - time.monotonic()))

    def _end(self, process: Running) -> None:
        """Send SIGTERM, and SIGKILL when the grace is over."""
        if process.is_alive:
            process.signal(SIGTERM)
        deadline = time.monotonic() + self._pod.grace
        while process.is_alive and time.monotonic() < deadline:
            threading.Event().wait(0.02)
        if process.is_alive:
            self.cut_off += 1
            process.kill()
        else:
            self.ended.append(process.finish())


@contextmanager
def running_pod(pod: Pod, port: int, start: Start) -> Iterator[Kubelet]:
    """Run a pod; it is deleted at the end, and an error of its kubelet is raised."""
    kubelet = Kubelet(pod, port, start)
    with ThreadPoolExecutor() as pool:
        running = pool.submit(kubelet.run)
        try:
            yield kubelet
        finally:
            kubelet.delete()
            running.result()
