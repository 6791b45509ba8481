"""The process of the image under a simulated kubelet, by the probes of `deploy/kubernetes`.

The world of these tests is ten times as fast: a migration of 90 s takes 9, and a probe comes every
second instead of every ten. An answer has its real second. `KUBELET_PACE=1` runs them in real time.
"""

import http.client
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from signal import SIGSTOP

import pytest

from tests.cluster import OWNER, PASSWORD, Cluster, free_port
from tests.deploy.kubelet import running_pod
from tests.deploy.manifests import container, environment, image_command, pod
from tests.history import HEAD
from tests.scenarios.process import (
    Running,
    message_of,
    project,
    revisions,
    running_from_scratch,
    write_revision,
)
from tests.waiting import SOON, wait_until

pytestmark = pytest.mark.slow

PACE = float(os.environ.get("KUBELET_PACE", "0.1"))
MIGRATION = 90 * PACE
"""Seconds."""
LONGEST = MIGRATION + 60

SLOW = "901"
JWT_SECRET = "signs the tokens of a test's pods"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Image:
    """The image in a cluster: what its process is given there."""

    cluster: Cluster
    database: str
    folder: Path
    port: int = field(default_factory=free_port)

    def start(self) -> AbstractContextManager[Running]:
        """Start the process, with the variables of the manifest and the secrets as files."""
        secrets = self.folder / "secrets"
        secrets.mkdir(exist_ok=True)
        (secrets / "postgres_password").write_text(f"{PASSWORD}\n", encoding="utf-8")
        (secrets / "jwt_secret").write_text(f"{JWT_SECRET}\n", encoding="utf-8")
        manifest = environment(secrets)
        program, *arguments = image_command()
        assert program == "inv"
        assert manifest["POSTGRES_USER"] == OWNER
        assert manifest["BACKEND_PORT"] == str(container()["ports"][0]["containerPort"])
        cluster = {
            "BACKEND_HOST": "127.0.0.1",
            "BACKEND_PORT": str(self.port),
            "POSTGRES_HOST": "127.0.0.1",
            "POSTGRES_PORT": str(self.cluster.port),
            "POSTGRES_DB": self.database,
            # On a busy machine the clients notice late that they are to stop.
            "DRAIN_DELAY": str(max(float(manifest["DRAIN_DELAY"]) * PACE, 5)),
        }
        return running_from_scratch(self.folder, *arguments, **{**manifest, **cluster})


@pytest.fixture
def image(tmp_path: Path, cluster: Cluster, migrated_template: str) -> Iterator[Image]:
    """Give the image, whose newest revision takes long, and a database that is behind by that."""
    folder = project(tmp_path)
    versions = folder / "alembic" / "versions"
    write_revision(versions, SLOW, HEAD, f'op.execute("SELECT pg_sleep({MIGRATION})")')
    with cluster.database(migrated_template) as database:
        yield Image(cluster, database, folder)


def test_a_long_migration_is_never_killed(image: Image) -> None:
    """Started once, never killed, ready once; and deleting the pod loses no request."""
    with running_pod(pod(PACE), image.port, image.start) as kubelet:
        wait_until(lambda: kubelet.readiness or kubelet.killed_by or kubelet.ended, LONGEST)
        with clients(image.port) as use:
            wait_until(lambda: use.answers > 100)
            time.sleep(5 * PACE)  # readiness is asked a few times more
            assert kubelet.is_ready
            deleted = time.monotonic()
            kubelet.delete()
            # The cluster goes on sending requests for a part of the delay that it is given.
            time.sleep(5 * PACE)
        wait_until(lambda: kubelet.ended or kubelet.cut_off, pod().grace)
        took = time.monotonic() - deleted
    assert (kubelet.starts, kubelet.killed_by, kubelet.cut_off) == (1, [], 0)
    assert kubelet.readiness == [True, False], "ready once, and until it is deleted"
    assert revisions(image.cluster, image.database) == [SLOW]
    assert use.failures == []
    [finished] = kubelet.ended
    finished.assert_ok()
    finished.assert_secret(frozenset({PASSWORD, JWT_SECRET}))

    live, ready = kubelet.answers["livenessProbe"], kubelet.answers["readinessProbe"]
    booting = [it for it in ready if it.status == 503 and '"booting"' in it.text]
    for kind, answers in (("livenessProbe", live), ("readinessProbe", booting)):
        assert len(answers) >= MIGRATION / pod(PACE).probes[kind].period - 1, "it was asked"
    _log.warning(
        "A migration of %g s: %d startup, %d liveness (%d failed) and %d readiness probes "
        "(%d while the pod booted); %d starts, %d kills; ready %d time; "
        "%d requests, none lost; deleted in %.1f s",
        MIGRATION,
        len(kubelet.answers["startupProbe"]),
        len(live),
        len([it for it in live if not it.is_good]),
        len(ready),
        len(booting),
        kubelet.starts,
        len(kubelet.killed_by),
        kubelet.readiness.count(True),
        use.answers,
        took,
    )


def test_a_port_that_is_closed_is_killed(image: Image) -> None:
    """The counter-proof: as if nothing listened during the boot. The schema never moves."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with running_pod(pod(PACE), port, image.start) as kubelet:
            wait_until(lambda: len(kubelet.ended) == 2, 2 * LONGEST)
    assert kubelet.killed_by == ["startupProbe", "startupProbe"]
    assert kubelet.readiness == []
    for finished in kubelet.ended:
        finished.assert_says("Running database migrations...")
        assert (finished.status, message_of(finished.stderr[-1])) == (143, "Stopped by SIGTERM.")
    assert revisions(image.cluster, image.database) == [HEAD]


def test_a_process_that_hangs_is_killed(image: Image) -> None:
    """The other counter-proof: a process that stops answering later, and ignores SIGTERM."""
    write_revision(image.folder / "alembic" / "versions", SLOW, HEAD)
    impatient = replace(pod(PACE), grace=0.5)
    with running_pod(impatient, image.port, image.start) as kubelet:
        wait_until(lambda: kubelet.is_ready, LONGEST)
        assert kubelet.process is not None
        kubelet.process.signal(SIGSTOP)
        wait_until(lambda: kubelet.starts == 2 and kubelet.is_ready, LONGEST)
        assert kubelet.readiness == [True, False, True]
    assert kubelet.killed_by == ["livenessProbe"]
    assert kubelet.cut_off >= 1


@dataclass
class Use:
    """The answers that clients got, and their failures."""

    answers: int = 0
    failures: list[str] = field(default_factory=list)


@contextmanager
def clients(port: int, number: int = 4) -> Iterator[Use]:
    """Read all the time, each client over a connection that it keeps as long as it may."""
    use, is_over = Use(), threading.Event()
    with ThreadPoolExecutor() as pool:
        reading = [pool.submit(_read, port, use, is_over.is_set) for _ in range(number)]
        try:
            yield use
        finally:
            is_over.set()
            for it in reading:
                it.result()


def _read(port: int, use: Use, is_over: Callable[[], bool]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SOON)
    while not is_over():
        try:
            connection.request("GET", "/api/v1/books")
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException) as error:
            use.failures.append(repr(error))
            connection.close()
        else:
            use.answers += 1
            if response.status != 200:
                use.failures.append(str(response.status))
    connection.close()
