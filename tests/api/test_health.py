import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from alembic import command

from alembic_boot.serving import probe_connection
from backend.main import create_app
from tests.api.application_settings import settings_for
from tests.api.probes import readiness
from tests.api.sentences import DATABASE_AWAY, SCHEMA_NOT_READY
from tests.api.server import serving
from tests.cluster import Cluster, running_cluster
from tests.history import BEFORE_HEAD, HEAD
from tests.migrations.project import config_for
from tests.waiting import soon

# An immediate stop loses what was just committed, as durability is off in tests.
KEEPING_ROWS = "fast"


def test_live_says_ok(seeded_client: httpx.Client) -> None:
    answer = seeded_client.get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_ready_says_where_the_schema_is(seeded_client: httpx.Client) -> None:
    answer = seeded_client.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ready",
        "state": "current",
        "current": [HEAD],
        "target": HEAD,
    }


def test_ready_follows_the_schema_down_and_up(seeded_url: str) -> None:
    """Whoever moves it, and without a restart of the application."""
    with serving(create_app(settings_for(seeded_url))) as client:
        command.downgrade(config_for(seeded_url), BEFORE_HEAD)
        behind = client.get("/health/ready")
        command.upgrade(config_for(seeded_url), "head")
        current = readiness(client, 200)

    assert behind.status_code == 503
    body = behind.json()
    assert "behind" in body.pop("reason")
    assert body == {
        "status": "unavailable",
        "state": "behind",
        "current": [BEFORE_HEAD],
        "target": HEAD,
    }
    assert current.status_code == 200


@pytest.mark.parametrize("path", ["", "/00000000-0000-0000-0000-000000000001"])
def test_books_wait_for_the_schema(database_url: str, path: str) -> None:
    """On a database without tables they answer 503, and nobody sees SQL."""
    with serving(create_app(settings_for(database_url))) as client:
        ready, books = client.get("/health/ready"), client.get(f"/api/v1/books{path}")

    assert ready.status_code == 503
    body = ready.json()
    assert "empty" in body.pop("reason")
    assert body == {"status": "unavailable", "state": "empty", "current": [], "target": HEAD}
    assert (books.status_code, books.json()["detail"]) == (503, SCHEMA_NOT_READY)


def test_books_wait_for_a_missing_column(seeded_url: str) -> None:
    """A schema that is behind has the table, but not all of it."""
    command.downgrade(config_for(seeded_url), "007")
    with serving(create_app(settings_for(seeded_url))) as client:
        books = client.get("/api/v1/books")
    assert (books.status_code, books.json()["detail"]) == (503, SCHEMA_NOT_READY)


@pytest.mark.slow
def test_the_service_outlives_its_database(own_cluster: Cluster) -> None:
    """Away it says so at once, and gives what it has kept; back again it serves.

    No request pays for the restart.
    """
    with _served(own_cluster) as client:
        assert client.get("/api/v1/books").status_code == 200

        own_cluster.stop(KEEPING_ROWS)
        paths = ("/health/live", "/health/ready", "/api/v1/books", "/api/v1/books?limit=1")
        with soon():
            live, ready, kept, books = (client.get(path) for path in paths)
        assert live.status_code == 200
        assert ready.status_code == 503
        assert ready.json()["state"] is None
        assert "moriai_password" not in ready.text
        assert kept.status_code == 200
        assert (books.status_code, books.json()["detail"]) == (503, DATABASE_AWAY)

        own_cluster.start()
        assert client.get("/api/v1/books?limit=1").status_code == 200
        readiness(client, 200)


@pytest.mark.slow
def test_a_restart_between_two_requests_costs_none(own_cluster: Cluster) -> None:
    """The pool notices that its connections are dead before a request takes one."""
    with _served(own_cluster) as client:
        assert client.get("/api/v1/books").status_code == 200
        own_cluster.stop(KEEPING_ROWS)
        own_cluster.start()
        assert client.get("/api/v1/books?limit=1").status_code == 200


@pytest.mark.slow
def test_ready_waits_three_seconds_at_most(own_cluster: Cluster) -> None:
    """A server that takes connections and then says nothing is as good as none."""
    waits = (
        probe_connection._SILENCE,
        probe_connection._CONNECT_TIMEOUT,
        probe_connection._REASON_TIMEOUT,
    )
    assert sum(waits) <= 3
    with _served(own_cluster) as client:
        with _frozen(own_cluster):
            with soon():
                ready = client.get("/health/ready")
            assert client.get("/health/live").status_code == 200
        assert ready.status_code == 503
        readiness(client, 200)


@pytest.fixture
def own_cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Give a server that a test may stop: others are not disturbed."""
    with running_cluster(tmp_path / "data", 18) as cluster:
        yield cluster
        # At the end it is stopped once more, which it must run for.
        cluster.pg_ctl("restart", "-m", "immediate", "-l", str(cluster.folder / "server.log"))


@contextmanager
def _served(cluster: Cluster) -> Iterator[httpx.Client]:
    with cluster.database() as name:
        url = cluster.url(name)
        command.upgrade(config_for(url), "head")
        with serving(create_app(settings_for(url))) as client:
            yield client


@contextmanager
def _frozen(cluster: Cluster) -> Iterator[None]:
    """Hold the process that answers new connections; the kernel goes on taking them."""
    pid = int((cluster.folder / "postmaster.pid").read_text().splitlines()[0])
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
