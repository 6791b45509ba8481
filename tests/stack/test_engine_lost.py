"""An engine that goes away in the middle: a sentence and status 12, never a traceback."""

import os
import select
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest
from docker import DockerClient

from tests.scenarios.process import Finished
from tests.stack.stack import Stack

pytestmark = pytest.mark.slow

MakeStack = Callable[[str], Stack]

WELL = """
services:
  web:
    image: IMAGE
    command: [sh, -c, "trap 'exit 0' TERM; echo hello; while :; do sleep 0.1; done"]
    volumes: ["./inv:/bin/inv:ro"]
    stop_grace_period: 1s
"""

TWO = """
services:
  a: &sick
    image: IMAGE
    command: [sh, -c, "trap 'exit 0' TERM; while :; do sleep 0.1; done"]
    healthcheck: {test: "[ -e /tmp/ok ]", interval: 300ms, retries: 300}
    stop_grace_period: 1s
  b: *sick
"""

SENTENCE = "The container engine stopped answering: …. See whether it still runs, and try again."


def assert_lost(finished: Finished) -> None:
    """Fail unless it says, once, that the engine is gone."""
    finished.assert_failed(12, SENTENCE)
    assert finished.stderr[0].count(". ") == 1, finished.stderr


class Road:
    """A TCP port that leads to the engine's socket until it is cut."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._links: list[tuple[socket.socket, threading.Thread]] = []
        self.pause = 0.0
        """Seconds for which the engine's answers are held, so that more comes at once."""
        self.url = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def cut(self) -> None:
        """End every connection, and take no more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        for far, link in self._links:
            with suppress(OSError):  # it has ended before
                far.shutdown(socket.SHUT_RDWR)
            link.join()

    def _accept(self) -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                near, _ = self._listener.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._path)
                link = threading.Thread(target=self._join, args=(near, far), daemon=True)
                self._links.append((far, link))
                link.start()

    def _join(self, near: socket.socket, far: socket.socket) -> None:
        with near, far, suppress(OSError):  # one of the two has ended
            while True:
                for it in select.select([near, far], [], [])[0]:
                    if it is far:
                        threading.Event().wait(self.pause)
                    chunk = it.recv(1 << 16)
                    if not chunk:
                        return
                    (far if it is near else near).sendall(chunk)


@pytest.fixture
def road(engine: DockerClient) -> Road:
    """Give a way to the engine that can be cut; whoever uses it does that."""
    scheme, _, path = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").partition("://")
    if scheme != "unix":
        pytest.skip("the engine has no socket on this machine")
    return Road(path)


def well(stack: MakeStack) -> Stack:
    """Return a stack that runs, with an `inv` inside that takes its time."""
    made = stack(WELL)
    made.write("#!/bin/sh\necho begun; sleep 30", "inv")
    (made.folder / "inv").chmod(0o755)
    made.inv("up").assert_ok()
    return made


def test_while_waiting(stack: MakeStack, road: Road) -> None:
    """Nothing can be taken back any more; the next `down` finds what was made."""
    made = stack(TWO)
    with made.running_inv("up", DOCKER_HOST=road.url) as inv:
        inv.wait_for("b-1 is starting (…)")
        made.containers()["a-1"].exec_run(["touch", "/tmp/ok"])
        # What comes after the first look at both is told by an event: they are listened to.
        inv.wait_for("a-1 is running, healthy (…)")
        road.cut()
        assert_lost(inv.finish())
    made.inv("down").assert_ok()
    assert (made.ids(), made.networks()) == ({}, [])


def test_while_following(stack: MakeStack, road: Road) -> None:
    """A log that can't be followed any more has not come to its end."""
    made = well(stack)
    with made.running_inv("logs", "--follow", DOCKER_HOST=road.url) as inv:
        inv.wait_for("web-1 | hello")
        road.cut()
        assert_lost(inv.finish())


def test_while_a_task_runs_inside(stack: MakeStack, road: Road) -> None:
    """How the task ends is not known: that is no success."""
    made = well(stack)
    with made.running_inv("seed", "--in", "web", DOCKER_HOST=road.url) as inv:
        inv.wait_for("begun")
        road.cut()
        assert_lost(inv.finish())


def test_output_that_comes_with_the_head_of_the_answer(stack: MakeStack, road: Road) -> None:
    """A busy machine puts both into one packet."""
    made = well(stack)
    road.pause = 0.3
    with made.running_inv("seed", "--in", "web", DOCKER_HOST=road.url) as inv:
        inv.wait_for("begun")
        road.cut()
        assert_lost(inv.finish())


def test_at_once(stack: MakeStack) -> None:
    """What answers, and hangs up, is no engine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        server.settimeout(20)
        with stack(TWO).running_inv("ps", DOCKER_HOST=url) as inv:
            connection, _ = server.accept()
            connection.close()
            finished = inv.finish()
    finished.assert_failed(12, f"The container engine at {url} cannot be reached: …")
