"""The port answers from the start of the process on, and no answer is lost at the handover."""

import asyncio
import http.client
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGTERM
from typing import Any

import pytest

from alembic_boot.postgres import advisory
from alembic_boot.postgres.advisory import AdvisoryKey
from tests.cluster import Cluster, free_port
from tests.history import HEAD
from tests.listening import listens
from tests.scenarios.process import (
    MIGRATION_FAILED,
    Running,
    project,
    run,
    running_from_scratch,
    write_revision,
)
from tests.waiting import SOON, wait_until

pytestmark = pytest.mark.slow

STARTS = int(os.environ.get("BOOT_STARTS", "3"))
"""Starts in one process; with workers and with reload a third of them."""

CLIENTS = 50

AT_GATE = """
import pathlib, time
while not pathlib.Path({gate!r}).exists():
    {meanwhile}
"""
"""A revision that lasts until the test opens its gate: a file."""

LIVE, READY = "/health/live", "/health/ready"


def ask(port: int, path: str) -> tuple[int, dict[str, Any]]:
    """Return status and body of an answer; what the boot waits for meanwhile takes longer."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=SOON)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


@contextmanager
def booting(folder: Path, url: str, **variables: str) -> Iterator[tuple[Running, int]]:
    """Start the service, and give it with its port when the port answers."""
    port = free_port()
    settings = {"APP_ENV": "test", "BACKEND_PORT": str(port), "DATABASE_URL": url, **variables}
    with running_from_scratch(folder, "start", **settings) as inv:
        wait_until(lambda: listens(("127.0.0.1", port)))
        assert ask(port, LIVE) == (200, {"status": "ok"})
        yield inv, port


def wait_for_stage(port: int, stage: str, key: str = "stage") -> dict[str, Any]:
    """Return what readiness says as soon as it names this stage, or has a fact of this key."""
    found: dict[str, Any] = {}

    def is_so() -> bool:
        status, answer = ask(port, READY)
        assert (status, answer["status"]) == (503, "booting")
        found.update(answer)
        return answer["stage"] == stage and answer[key] is not None

    wait_until(is_so)
    return found


def assert_stops(inv: Running, port: int) -> None:
    """Fail unless SIGTERM ends the boot in order."""
    inv.signal(SIGTERM)
    inv.finish(timeout=SOON).assert_failed(143, "Stopped by SIGTERM.")
    assert not listens(("127.0.0.1", port))
    inv.assert_nothing_left()


def test_while_postgresql_is_away(tmp_path: Path) -> None:
    """The process is alive, and says what it waits for; SIGTERM ends it."""
    url = f"postgresql://me:top-secret-too@127.0.0.1:{free_port()}/books"
    with booting(project(tmp_path), url) as (inv, port):
        found = wait_for_stage(port, "wait", "reason")
        wait_until(lambda: "Connection refused" in ask(port, READY)[1]["reason"])
        assert (found["revision"], found["done"], found["of"]) == (None, 0, 0)
        assert ask(port, LIVE)[0] == 200
        assert ask(port, "/api/v1/books")[1]["title"] == "Service Unavailable"
        assert_stops(inv, port)


def test_while_another_starter_has_the_lock(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """Readiness names the other starter; SIGTERM ends the wait."""
    with closing(cluster.connect(database)) as holder:
        holder.autocommit = True
        advisory.begin(holder)
        key = AdvisoryKey.named("schema", "public", "alembic_version")
        assert advisory.try_lock(holder, key)
        with booting(project(tmp_path), database_url) as (inv, port):
            assert wait_for_stage(port, "lock", "blocked_by")["blocked_by"]
            assert ask(port, LIVE)[0] == 200
            assert_stops(inv, port)


def test_while_a_revision_runs(tmp_path: Path, database_url: str) -> None:
    """Readiness tells which one, and of how many; SIGTERM ends its statement."""
    folder = project(tmp_path)
    run(folder, "migrate", DATABASE_URL=database_url).assert_ok()
    versions = folder / "alembic" / "versions"
    write_revision(versions, "901", HEAD, "pass")
    write_revision(versions, "902", "901", 'op.execute("SELECT pg_sleep(60)")', title="It sleeps")
    with booting(folder, database_url) as (inv, port):
        wait_until(lambda: ask(port, READY)[1]["done"] == 1)
        found = wait_for_stage(port, "migrate", "revision")
        assert (found["revision"], found["done"], found["of"]) == ("902 It sleeps", 1, 2)
        assert found["reason"] == "Migration 902 It sleeps is running (2 of 2)."
        assert ask(port, LIVE)[0] == 200
        assert_stops(inv, port)


def test_while_a_revision_keeps_python_busy(tmp_path: Path, database_url: str) -> None:
    """A loop in Python leaves the boot server a turn every few milliseconds.

    Measured on two busy cores: half of the answers took less than 3 ms, and the slowest 100 ms. A
    single call of C code that keeps Python's lock delays each answer until the call returns.
    """
    folder, gate = project(tmp_path), tmp_path / "gate"
    run(folder, "migrate", DATABASE_URL=database_url).assert_ok()
    busy = AT_GATE.format(gate=str(gate), meanwhile="sum(range(1000))")
    write_revision(folder / "alembic" / "versions", "901", HEAD, busy)
    with booting(folder, database_url) as (inv, port):
        wait_for_stage(port, "migrate", "revision")
        for _ in range(20):
            assert ask(port, LIVE)[0] == 200
            assert ask(port, READY)[1]["revision"]
        gate.touch()
        inv.wait_for("Serving on …")
        inv.signal(SIGTERM)
        inv.finish().assert_ok()


def test_a_boot_that_fails(tmp_path: Path, database_url: str) -> None:
    """Its exit status is that of its failure, and the port is closed."""
    folder, gate = project(tmp_path), tmp_path / "gate"
    body = AT_GATE.format(gate=str(gate), meanwhile="time.sleep(0.01)")
    body += 'raise RuntimeError("on purpose")'
    write_revision(folder / "alembic" / "versions", "901", HEAD, body, title="It breaks")
    secret = "a long secret of this test"
    settings = {"APP_ENV": "prod", "JWT_SECRET": secret}
    with booting(folder, database_url, **settings) as (inv, port):
        gate.touch()
        finished = inv.finish()
        assert not listens(("127.0.0.1", port))
        inv.assert_nothing_left()
    finished.assert_failed(5, "Migration 901 It breaks failed: …")


def test_a_failed_migration_in_development(tmp_path: Path, database_url: str) -> None:
    """The application takes over, and its readiness has the reason."""
    folder, gate = project(tmp_path), tmp_path / "gate"
    run(folder, "migrate", DATABASE_URL=database_url).assert_ok()
    body = AT_GATE.format(gate=str(gate), meanwhile="time.sleep(0.01)")
    body += 'raise RuntimeError("on purpose")'
    write_revision(folder / "alembic" / "versions", "901", HEAD, body, title="It breaks")
    with booting(folder, database_url, MIGRATE_ON_FAILURE="continue") as (inv, port):
        assert wait_for_stage(port, "migrate", "revision")["revision"] == "901 It breaks"
        gate.touch()
        wait_until(lambda: ask(port, READY)[1]["status"] != "booting")
        status, found = ask(port, READY)
        assert (status, found["reason"]) == (503, MIGRATION_FAILED)
        assert ask(port, LIVE)[0] == 200
        inv.wait_for("Database migrations failed, but continuing...")
        inv.signal(SIGTERM)
        inv.finish().assert_ok()


@dataclass
class Asked:
    """One request: when it began and when its answer was complete, or why there is none."""

    began: float
    ended: float
    status: int = 0
    error: str = ""


@dataclass
class Crowd:
    """Clients that connect, send and wait all the time, from a thread; each answer is kept."""

    port: int
    asked: list[Asked] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Let them ask meanwhile."""
        thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    @property
    def ready_at(self) -> float:
        """When the first of them knew that the application is ready."""
        return min((it.ended for it in self.asked if it.status == 200), default=float("inf"))

    async def _run(self) -> None:
        await asyncio.gather(*(self._keep_asking(number) for number in range(CLIENTS)))

    async def _keep_asking(self, number: int) -> None:
        head = f"GET {READY} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
        if number % 5 == 0:  # the body comes when the answer may be there already
            head = head.replace("\r\n\r\n", "\r\nContent-Length: 10000\r\n\r\n") + 10_000 * "x"
        while not self._ended.is_set():
            began = time.monotonic()
            try:
                answer = await asyncio.wait_for(self._ask(head.encode()), SOON)
            except OSError as error:
                self.asked.append(Asked(began, time.monotonic(), error=repr(error)))
            else:
                status = int(answer.split()[1]) if answer else 0
                lost = "" if answer else "an empty answer"
                self.asked.append(Asked(began, time.monotonic(), status, lost))
            await asyncio.sleep(0.1)

    async def _ask(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            return await reader.read()
        finally:
            writer.close()


@pytest.mark.parametrize(
    "manner",
    [
        pytest.param({}, id="alone"),
        pytest.param({"WEB_CONCURRENCY": "2"}, id="workers"),
        pytest.param({"RELOAD": "true", "APP_ENV": "dev"}, id="reload"),
    ],
)
def test_the_handover(tmp_path: Path, database_url: str, manner: dict[str, str]) -> None:
    """After the first answer each request is answered, and readiness changes once."""
    folder = project(tmp_path)
    for task in ("migrate", "seed"):
        run(folder, task, DATABASE_URL=database_url).assert_ok()
    for _ in range(max(1, STARTS // 3) if manner else STARTS):
        port = free_port()
        crowd = Crowd(port)
        settings = {"APP_ENV": "test", "BACKEND_PORT": str(port), **manner}
        with running_from_scratch(folder, "start", DATABASE_URL=database_url, **settings) as inv:
            with crowd.at_work():
                inv.wait_for("Serving on …")
                wait_until(lambda it=crowd: it.ready_at < time.monotonic() - 0.5)  # type: ignore[misc]
            inv.signal(SIGTERM)
            inv.finish().assert_ok()
        first = min(it.ended for it in crowd.asked if it.status)
        later = [it for it in crowd.asked if it.began > first]
        assert len([it for it in later if it.status == 503]) > CLIENTS, "the boot server answered"
        assert [it for it in later if it.error] == []
        assert {it.status for it in later if it.began > crowd.ready_at} == {200}
