"""Replicas as people run them, on one database: real processes, one of them with two workers."""

import re
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import psycopg2
import pytest

from tests.api.people import Person, sign_up
from tests.cluster import Cluster, running_cluster
from tests.scenarios.process import DEADLINE, Running, project, running
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

SECRET = "a long text that signs the tokens of tests"
WRITERS = 4

_BEFORE_TIME_DROPS_IT = 20.0
"""Seconds: a replica that hears no event shows what was before for 30 seconds."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Cluster]:
    """Give a server that a test may crash: what it says is committed is, as in production."""
    with running_cluster(tmp_path / "data", 18) as cluster:
        cluster.execute("ALTER SYSTEM SET synchronous_commit = on")
        cluster.execute("SELECT pg_reload_conf()")
        yield cluster


@contextmanager
def _replicas(folder: Path, url: str) -> Iterator[tuple[Running, Running]]:
    variables = {"DATABASE_URL": url, "JWT_SECRET": SECRET, "APP_ENV": "test", "BACKEND_PORT": "0"}
    place = project(folder)
    with ExitStack() as stack:
        first = stack.enter_context(running(place, "start", **variables))
        second = stack.enter_context(running(place, "start", **variables, WEB_CONCURRENCY="2"))
        for it, count in ((first, 1), (second, 2)):
            it.wait_for("Serving on …")
            it.wait_for("Event bus started", count)
            it.wait_for("Backend started", count)
        yield first, second


def _names(url: str, path: str) -> set[object]:
    """Return the names that several requests are given, each over a connection of its own.

    So any worker may answer, and one alone might be the one that heard first.
    """
    with httpx.Client(base_url=url, timeout=DEADLINE, headers={"Connection": "close"}) as client:
        return {client.get(path).json()["name"] for _ in range(8)}


def _is_ready(client: httpx.Client) -> bool:
    return bool(client.get("/health/ready").json()["status"] == "ready")


@pytest.mark.alone
def test_every_worker_hears_of_a_change_within_a_second(cluster: Cluster, tmp_path: Path) -> None:
    """Whichever of them answers, and each has kept what was before."""
    with cluster.database() as name, _replicas(tmp_path, cluster.url(name)) as (first, second):
        with httpx.Client(base_url=first.url, timeout=DEADLINE) as client:
            owner = sign_up(client)
            voice = owner.make("voices", visibility="public")["id"]
            path = f"/api/v1/voices/{voice}"
            for number in range(10):
                wanted = f"Mina {number}"
                _names(second.url, path)
                owner.ask("PATCH", path, {"name": wanted})
                wait_until(lambda: _names(second.url, path) == {wanted}, 1)  # noqa: B023
        for it in (first, second):
            it.signal(signal.SIGTERM)
            it.finish()


@dataclass
class Load:
    """People who write books all the time, and what became of it."""

    made: list[str] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)
    broken: list[httpx.TransportError] = field(default_factory=list)


@contextmanager
def _load(owners: list[Person]) -> Iterator[Load]:
    found, ended = Load(), threading.Event()

    def write(owner: Person) -> None:
        with httpx.Client(base_url=owner.client.base_url, timeout=DEADLINE) as client:
            while not ended.wait(0.01):
                try:
                    book = client.post(
                        "/api/v1/books",
                        json={"title": "Up", "visibility": "public"},
                        headers=owner.headers,
                    )
                    read = client.get("/api/v1/books?limit=5")
                except httpx.TransportError as error:
                    found.broken.append(error)
                    continue
                found.answers.update([book.status_code, read.status_code])
                if book.status_code == 201:
                    found.made.append(book.json()["id"])

    threads = [threading.Thread(target=write, args=[it]) for it in owners]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        ended.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_postgresql_restarts_under_load(server: Cluster, tmp_path: Path, mode: str) -> None:
    """Nothing that was answered is lost, nobody gets more than a 503, and all fixes itself."""
    with (
        server.database() as name,
        _replicas(tmp_path, server.url(name)) as replicas,
        ExitStack() as stack,
    ):
        clients = [
            stack.enter_context(httpx.Client(base_url=it.url, timeout=DEADLINE)) for it in replicas
        ]
        owners = [sign_up(clients[number % 2]) for number in range(WRITERS)]
        with _load(owners) as load:
            wait_until(lambda: len(load.made) > 50, DEADLINE)
            server.stop(mode)
            wait_until(lambda: load.answers[503] > 10, DEADLINE)
            server.start()
            count = len(load.made)
            wait_until(lambda: len(load.made) > count + 50, DEADLINE)
            for client in clients:
                wait_until(partial(_is_ready, client), DEADLINE)
        assert (set(load.answers), load.broken) == ({200, 201, 503}, [])
        with closing(psycopg2.connect(server.url(name))) as connection:
            cursor = connection.cursor()
            cursor.execute("SELECT id::text FROM books")
            assert set(load.made) <= {str(row[0]) for row in cursor.fetchall()}
        # Both hear of each other again: without that, the second one would show it after 30 s.
        voice = owners[0].make("voices", visibility="public")["id"]
        path = f"/api/v1/voices/{voice}"
        wait_until(lambda: _names(replicas[1].url, path) == {"Mina"}, _BEFORE_TIME_DROPS_IT)
        owners[0].ask("PATCH", path, {"name": "Juno"})
        wait_until(lambda: _names(replicas[1].url, path) == {"Juno"}, _BEFORE_TIME_DROPS_IT)
        for it in replicas:
            it.signal(signal.SIGTERM)
            said = it.finish()
            assert not [line for line in said.stdout if re.search(r" (ERROR|CRITICAL) ", line)]
