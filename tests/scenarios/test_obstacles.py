"""What stands in the way of a boot: locks, silence, swallowed stops, and what is said of them."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.cluster import Cluster, free_port
from tests.history import HEAD
from tests.listening import listens
from tests.scenarios.process import project, revisions, run, running, write_revision

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("task", ["migrate", "start"])
def test_a_stop_is_heard_behind_a_lock(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str, task: str
) -> None:
    """Where somebody holds the version table, a stop ends the wait for it."""
    folder = project(tmp_path)
    run(folder, "migrate", DATABASE_URL=database_url).assert_ok()
    holder = cluster.connect(database)
    try:
        holder.autocommit = False
        holder.cursor().execute("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE")
        with running(
            folder, task, DATABASE_URL=database_url, LOG_LEVEL="info", BACKEND_PORT="0"
        ) as inv:
            inv.wait_for("PostgreSQL is ready …")
            _wait_for_blocked(cluster, database)
            inv.signal(signal.SIGTERM)
            assert inv.finish().status == 143
    finally:
        holder.close()


def _wait_for_blocked(cluster: Cluster, database: str) -> None:
    query = (
        f"SELECT FROM pg_stat_activity WHERE datname = '{database}' AND wait_event_type = 'Lock'"
    )
    while not cluster.query(query):
        pass


def test_a_swallowed_stop_is_not_recorded_as_applied(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """A revision that catches everything cannot make a cancelled statement count as done."""
    folder = project(tmp_path)
    body = """
    try:
        op.execute("SELECT pg_sleep(60)")
    except BaseException:
        pass
    op.get_bind().exec_driver_sql("ROLLBACK")
    """
    write_revision(folder / "alembic" / "versions", "901", HEAD, body)
    with running(folder, "migrate", DATABASE_URL=database_url) as inv:
        inv.wait_for(f"Applied {HEAD} …")
        query = f"SELECT FROM pg_stat_activity WHERE datname = '{database}' AND query ~ 'pg_sleep'"
        while not cluster.query(query):
            pass
        inv.signal(signal.SIGTERM)
        assert inv.finish().status == 143
    assert revisions(cluster, database) == [HEAD]


MODES = pytest.mark.parametrize(
    "mode", [{}, {"WEB_CONCURRENCY": "2"}, {"RELOAD": "true"}], ids=["alone", "workers", "reload"]
)


@pytest.fixture
def heard_hangup() -> Iterator[None]:
    """Have children hear SIGHUP even where whoever runs the tests ignores it."""
    previous = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, previous)


@MODES
@pytest.mark.usefixtures("heard_hangup")
def test_a_terminal_that_closes(tmp_path: Path, database_url: str, mode: dict[str, str]) -> None:
    """SIGHUP while serving ends it in order, like SIGTERM."""
    folder = project(tmp_path)
    with running(folder, "start", DATABASE_URL=database_url, BACKEND_PORT="0", **mode) as inv:
        inv.wait_for("Application startup complete.", int(mode.get("WEB_CONCURRENCY", "1")))
        inv.signal(signal.SIGHUP)
        finished = inv.finish()
        assert finished.status == 0
        finished.assert_says("Backend stopped")
        inv.assert_nothing_left()


@MODES
def test_a_supervisor_that_is_killed(
    tmp_path: Path, database_url: str, mode: dict[str, str]
) -> None:
    """SIGKILL of the process that was started leaves no child that keeps the port."""
    folder = project(tmp_path)
    port = free_port()
    with running(folder, "start", DATABASE_URL=database_url, BACKEND_PORT=str(port), **mode) as inv:
        inv.wait_for("Application startup complete.", int(mode.get("WEB_CONCURRENCY", "1")))
        os.kill(inv.pid, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while listens(("127.0.0.1", port)):
            assert time.monotonic() < deadline


def test_a_stop_while_a_request_waits_for_a_lock(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """A request that the database holds up is over before the time that a stop gives it."""
    folder = project(tmp_path)
    with running(folder, "start", DATABASE_URL=database_url, BACKEND_PORT="0") as inv:
        inv.wait_for("Serving on …")
        url = inv.url
        holder = cluster.connect(database)
        holder.autocommit = False
        holder.cursor().execute("LOCK TABLE books IN ACCESS EXCLUSIVE MODE")
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(httpx.get, f"{url}/api/v1/books", timeout=60)
            _wait_for_blocked(cluster, database)
            inv.signal(signal.SIGTERM)
            assert inv.finish().status == 0
            assert asked.result().status_code == 503
        holder.close()
