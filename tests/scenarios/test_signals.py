"""SIGTERM and Ctrl-C end every stage in order: soon, with its status, and nothing left running."""

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import psutil
import psycopg2
import pytest

from alembic_boot.postgres.advisory import AdvisoryKey, begin, try_lock
from tests.api.probes import readiness
from tests.cluster import Cluster, free_port
from tests.history import HEAD
from tests.scenarios.planted import plant_application
from tests.scenarios.process import (
    Finished,
    Running,
    embedded_servers,
    project,
    relations,
    revisions,
    run,
    running,
    write_revision,
)
from tests.scenarios.sleeping import sleeping, wait_for_no_sleep, wait_for_sleep
from tests.waiting import SOON, wait_until

pytestmark = pytest.mark.slow


SIGNALS = pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
STATUS = {"SIGTERM": 143, "SIGINT": 130, "SIGHUP": 129}


def stop(inv: Running, name: str) -> Finished:
    """Send the signal as it comes in life, and return how the process ended: soon."""
    if name == "SIGINT":
        inv.interrupt()
    else:
        inv.signal(signal.Signals[name])
    finished = inv.finish(timeout=SOON)
    inv.assert_nothing_left()
    return finished


def assert_stopped(finished: Finished, name: str) -> None:
    finished.assert_failed(STATUS[name], f"Stopped by {name}.")
    finished.assert_never_says("Backend started")


def variables(where: str, database_url: str) -> dict[str, str]:
    """Return what tells `inv` its database; the embedded one is what it takes without."""
    url = {"DATABASE_URL": database_url} if where == "cluster" else {}
    return {"APP_ENV": "dev", "BACKEND_PORT": "0", **url}


@contextmanager
def mute_server() -> Iterator[int]:
    """Give a port that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


@pytest.mark.parametrize(
    ("task", "name"),
    [("wait-db", "SIGTERM"), ("wait-db", "SIGINT"), ("wait-db", "SIGHUP"), ("start", "SIGTERM")],
)
def test_during_the_wait(tmp_path: Path, name: str, task: str) -> None:
    """A stop during the wait for a server that is not there ends it at once."""
    url = f"postgresql://moriai_user:some-secret@127.0.0.1:{free_port()}/x"
    with running(project(tmp_path), task, DATABASE_URL=url, BACKEND_PORT="0") as inv:
        inv.wait_for("Not yet: Connection refused (waiting 0 of 60 s)")
        assert_stopped(stop(inv, name), name)


@SIGNALS
def test_during_a_login(tmp_path: Path, name: str) -> None:
    """A stop is heard while the driver waits for a server that does not answer."""
    with mute_server() as port:
        url = f"postgresql://moriai_user:some-secret@127.0.0.1:{port}/x"
        with running(project(tmp_path), "wait-db", DATABASE_URL=url) as inv:
            inv.wait_for("Waiting for PostgreSQL... …")
            assert_stopped(stop(inv, name), name)


@SIGNALS
def test_while_the_embedded_server_is_made(tmp_path: Path, name: str) -> None:
    """A stop while the embedded server is being made leaves what the next start can go on with."""
    folder = project(tmp_path)
    with running(folder, "migrate") as inv:
        inv.wait_for("Creating an embedded PostgreSQL under …")
        assert_stopped(stop(inv, name), name)
    run(folder, "migrate").assert_ok()
    assert embedded_servers(folder) == []


SLEEP = """
op.create_table("half", sa.Column("id", sa.Integer))
op.execute("SELECT pg_sleep(60)")
"""


def plant_sleep(folder: Path) -> None:
    write_revision(folder / "alembic" / "versions", "901", HEAD, SLEEP)


@pytest.mark.parametrize(("task", "name"), [("migrate", "SIGINT"), ("start", "SIGTERM")])
def test_during_a_migration(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str, name: str, task: str
) -> None:
    """A stop ends the running statement; its revision is rolled back, earlier ones are kept."""
    folder = project(tmp_path)
    plant_sleep(folder)
    with running(folder, task, **variables("cluster", database_url)) as inv:
        inv.wait_for(f"Applied {HEAD} …")
        wait_for_sleep(cluster, database)
        assert_stopped(stop(inv, name), name)
    assert sleeping(cluster, database) == 0
    assert revisions(cluster, database) == [HEAD]
    assert "half" not in relations(cluster, database)


@SIGNALS
def test_during_a_migration_on_the_embedded_server(tmp_path: Path, name: str) -> None:
    """A stop in mid-migration stops the embedded server as well, and the next start goes on."""
    folder = project(tmp_path)
    plant_sleep(folder)
    with running(folder, "start", **variables("embedded", "")) as inv:
        inv.wait_for(f"Applied {HEAD} …")
        assert embedded_servers(folder) != []
        assert_stopped(stop(inv, name), name)
    assert not (folder / ".data" / "postgres" / "postmaster.pid").exists()
    finished = run(folder, "migrate", MIGRATION_TARGET=HEAD)
    finished.assert_ok()
    finished.assert_says("Database migrations completed successfully (already up to date)")


# For short times: Python does not look for signals once more before it sleeps.
SLEEP_IN_PYTHON = """
import time
for _ in range(1200):
    time.sleep(0.05)
"""


def test_during_a_migration_that_waits_in_python(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """A stop is heard while a revision is busy outside the database."""
    folder = project(tmp_path)
    write_revision(folder / "alembic" / "versions", "901", HEAD, SLEEP_IN_PYTHON)
    with running(folder, "migrate", DATABASE_URL=database_url) as inv:
        inv.wait_for(f"Applied {HEAD} …")
        assert_stopped(stop(inv, "SIGTERM"), "SIGTERM")
    assert revisions(cluster, database) == [HEAD]


def test_during_a_migration_that_swallows_errors(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """A revision that swallows the interrupted statement's error does not swallow the stop."""
    folder = project(tmp_path)
    body = """
    try:
        op.execute("SELECT pg_sleep(60)")
    except Exception:
        pass
    """
    write_revision(folder / "alembic" / "versions", "901", HEAD, body)
    with running(folder, "migrate", DATABASE_URL=database_url) as inv:
        wait_for_sleep(cluster, database)
        assert_stopped(stop(inv, "SIGINT"), "SIGINT")
    assert revisions(cluster, database) == [HEAD]


SEED = """
from sqlalchemy import Connection, text

def seed(connection: Connection) -> None:
    connection.execute(text("INSERT INTO users (email) VALUES ('a@b.c')"))
    connection.execute(text("SELECT pg_sleep(60)"))
"""


def test_during_seeding(tmp_path: Path, cluster: Cluster, database: str, database_url: str) -> None:
    """A stop while the seed's statement runs ends it and keeps nothing of the seed."""
    folder = project(tmp_path)
    (folder / "planted.py").write_text(SEED)
    with running(
        folder,
        "start",
        SEED_CALLABLE="planted:seed",
        PYTHONPATH=str(folder),
        **variables("cluster", database_url),
    ) as inv:
        wait_for_sleep(cluster, database)
        assert_stopped(stop(inv, "SIGINT"), "SIGINT")
    wait_for_no_sleep(cluster, database)
    assert cluster.query("SELECT count(*) FROM users", database) == [(0,)]


MANNERS = pytest.mark.parametrize(
    "manner",
    [
        pytest.param({}, id="alone"),
        pytest.param({"WEB_CONCURRENCY": "2"}, id="workers"),
        pytest.param({"RELOAD": "true"}, id="reload"),
    ],
)


EACH_PAIR = pytest.mark.parametrize(
    ("manner", "where", "name"),
    [
        pytest.param({}, "cluster", "SIGTERM", id="alone-cluster-SIGTERM"),
        pytest.param({}, "embedded", "SIGINT", id="alone-embedded-SIGINT"),
        pytest.param({"WEB_CONCURRENCY": "2"}, "cluster", "SIGINT", id="workers-cluster-SIGINT"),
        pytest.param(
            {"WEB_CONCURRENCY": "2"}, "embedded", "SIGTERM", id="workers-embedded-SIGTERM"
        ),
        pytest.param({"RELOAD": "true"}, "cluster", "SIGTERM", id="reload-cluster-SIGTERM"),
        pytest.param({"RELOAD": "true"}, "embedded", "SIGINT", id="reload-embedded-SIGINT"),
    ],
)
"""Each two of a manner, a database and a signal come together once at least."""


def processes_of(manner: dict[str, str]) -> int:
    return int(manner.get("WEB_CONCURRENCY", "1"))


@pytest.mark.parametrize(
    ("manner", "where", "name"),
    [
        pytest.param({}, "embedded", "SIGTERM", id="alone-embedded-SIGTERM"),
        pytest.param({"WEB_CONCURRENCY": "2"}, "cluster", "SIGINT", id="workers-cluster-SIGINT"),
        pytest.param({"RELOAD": "true"}, "cluster", "SIGTERM", id="reload-cluster-SIGTERM"),
    ],
)
def test_during_the_applications_start(
    tmp_path: Path, seeded_url: str, name: str, where: str, manner: dict[str, str]
) -> None:
    """A stop before the application is up ends it, with its workers and its database."""
    folder = project(tmp_path)
    planted = plant_application(folder, start=60)
    with running(folder, "start", **variables(where, seeded_url), **planted, **manner) as inv:
        inv.wait_for("Starting up", count=processes_of(manner))
        finished = stop(inv, name)
    finished.assert_never_says("Started up")
    if "RELOAD" in manner:  # who reloads may not have started for a while, and is serving yet
        finished.assert_ok()
    else:
        assert_stopped(finished, name)


def has_importing_worker(inv: Running) -> bool:
    """Whether a process that is to serve has libraries loaded: for most of a second it imports."""
    children = psutil.Process(inv.pid).children()
    return any("psycopg2" in Path(f"/proc/{it.pid}/maps").read_text() for it in children)


@pytest.mark.parametrize(
    ("line", "manner"),
    [
        ("Started parent process …", {"WEB_CONCURRENCY": "2"}),
        ("Started reloader process …", {"RELOAD": "true"}),
    ],
    ids=["workers", "reload"],
)
def test_ctrl_c_while_processes_start(
    tmp_path: Path, seeded_url: str, line: str, manner: dict[str, str]
) -> None:
    """Ctrl-C while workers are only being started shows no traceback of theirs."""
    folder = project(tmp_path)
    with running(folder, "start", **variables("cluster", seeded_url), **manner) as inv:
        inv.wait_for(line)
        wait_until(lambda: has_importing_worker(inv))
        finished = stop(inv, "SIGINT")
    # Uvicorn's reloader says its line a moment before it hears signals itself.
    if "RELOAD" in manner and finished.status == 0:
        finished.assert_ok()
    else:
        assert_stopped(finished, "SIGINT")


def test_workers_serve_when_all_are_up(tmp_path: Path, seeded_url: str) -> None:
    """The line that says where is for who waits to use it."""
    folder = project(tmp_path)
    planted = plant_application(folder, start=1)
    settings = {**variables("cluster", seeded_url), **planted, "WEB_CONCURRENCY": "2"}
    with running(folder, "start", **settings) as inv:
        assert httpx.get(inv.url).text == "done"
        finished = stop(inv, "SIGTERM")
    finished.assert_ok()
    finished.assert_says("Started up", "Started up", "Serving on … with 2 workers")
    finished.assert_never_says("Serving on … (Ctrl-C stops it)")


@EACH_PAIR
def test_while_serving(
    tmp_path: Path, seeded_url: str, name: str, where: str, manner: dict[str, str]
) -> None:
    """A stop while serving is how a service ends: in order, with status 0."""
    folder = project(tmp_path)
    with running(folder, "start", **variables(where, seeded_url), **manner) as inv:
        inv.wait_for("Backend started", count=processes_of(manner))
        assert httpx.get(f"{inv.url}/health/ready").status_code == 200
        finished = stop(inv, name)
    finished.assert_ok()
    assert finished.messages.count("Backend stopped") == processes_of(manner)
    assert not (folder / ".data" / "postgres" / "postmaster.pid").exists()


@MANNERS
def test_requests_under_way(tmp_path: Path, seeded_url: str, manner: dict[str, str]) -> None:
    """A request under way is answered before Ctrl-C ends the service; test_draining has SIGTERM."""
    folder = project(tmp_path)
    planted = plant_application(folder, answer=1)
    answers: list[httpx.Response] = []
    with running(folder, "start", **variables("cluster", seeded_url), **planted, **manner) as inv:
        inv.wait_for("Started up", count=processes_of(manner))
        url = inv.url
        request = threading.Thread(target=lambda: answers.append(httpx.get(url)))
        request.start()
        try:
            inv.wait_for("Answering")
            finished = stop(inv, "SIGINT")
        finally:
            request.join()
    finished.assert_ok()
    assert [(answer.status_code, answer.text) for answer in answers] == [(200, "done")]


def test_while_waiting_for_another_starter(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """A stop is heard while another starter has the schema; nothing is changed."""
    key = AdvisoryKey.named("schema", "public", "alembic_version")
    with closing(psycopg2.connect(database_url)) as holder:
        begin(holder)
        assert try_lock(holder, key)
        with running(project(tmp_path), "migrate", DATABASE_URL=database_url) as inv:
            inv.wait_for("Waiting for another starter (…)")
            assert_stopped(stop(inv, "SIGTERM"), "SIGTERM")
    assert relations(cluster, database) == []


@SIGNALS
def test_second_signal(tmp_path: Path, seeded_url: str, name: str) -> None:
    """Somebody impatient who sends the signal twice gets no traceback either."""
    with running(project(tmp_path), "start", **variables("embedded", seeded_url)) as inv:
        inv.wait_for("Serving on …")
        inv.signal(signal.Signals[name])
        inv.signal(signal.Signals[name])
        finished = inv.finish()
        finished.assert_says("Backend stopped")
        inv.assert_nothing_left()
    finished.assert_ok()


def test_reload(tmp_path: Path, seeded_url: str) -> None:
    """With RELOAD=true a change of the code is served without a new start."""
    folder = project(tmp_path)
    planted = plant_application(folder)
    with running(
        folder, "start", RELOAD="true", **variables("cluster", seeded_url), **planted
    ) as inv:
        assert httpx.get(inv.url).text == "done"
        code = (folder / "planted.py").read_text()
        (folder / "planted.py").write_text(code.replace('b"done"', 'b"changed"'))
        inv.wait_for("Serving on …", count=2)
        assert httpx.get(inv.url).text == "changed"
        stop(inv, "SIGTERM").assert_ok()


def test_reload_while_starting(tmp_path: Path, seeded_url: str) -> None:
    """A change that is saved while the application starts is served as well."""
    folder = project(tmp_path)
    planted = plant_application(folder)
    with running(
        folder, "start", RELOAD="true", **variables("cluster", seeded_url), **planted
    ) as inv:
        inv.wait_for("Started reloader process …")
        code = (folder / "planted.py").read_text()
        (folder / "planted.py").write_text(code.replace('b"done"', 'b"changed"'))
        inv.wait_for("WatchFiles detected changes in …")
        wait_until(lambda: httpx.get(inv.url, timeout=SOON).text == "changed")
        stop(inv, "SIGTERM").assert_ok()


def test_two_starters_share_the_embedded_server(tmp_path: Path) -> None:
    """Who ends first leaves the embedded server to the others; the last one stops it."""
    folder = project(tmp_path)
    with running(folder, "start", **variables("embedded", "")) as first:
        first.wait_for("Serving on …")
        with running(folder, "start", **variables("embedded", "")) as second:
            second.wait_for("Serving on …")
            first.signal(signal.SIGTERM)
            first.finish().assert_ok()
            assert len(embedded_servers(folder)) == 1
            assert httpx.get(f"{second.url}/health/ready").status_code == 200
            stop(second, "SIGTERM").assert_ok()
    assert embedded_servers(folder) == []


def test_killed_starter(tmp_path: Path) -> None:
    """After a kill that nobody can answer, the next start takes the embedded server over."""
    folder = project(tmp_path)
    with running(folder, "start", **variables("embedded", "")) as first:
        first.wait_for("Serving on …")
        first.signal(signal.SIGKILL)
        with running(folder, "start", **variables("embedded", "")) as second:
            second.wait_for("Serving on …")
            second.wait_for("Database migrations completed successfully (already up to date)")
            stop(second, "SIGTERM").assert_ok()
    assert embedded_servers(folder) == []


def test_server_that_goes_away_while_serving(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """The service outlives its database: not ready while it is away, and stopping all the same."""
    with running(project(tmp_path), "start", **variables("cluster", database_url)) as inv:
        inv.wait_for("Serving on …")
        cluster.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
        cluster.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
        )
        with pytest.raises(psycopg2.OperationalError):
            psycopg2.connect(database_url)
        ready = httpx.get(f"{inv.url}/health/ready")
        live = httpx.get(f"{inv.url}/health/live")
        cluster.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")
        with httpx.Client(base_url=inv.url) as client:
            readiness(client, 200)
        finished = stop(inv, "SIGTERM")
    assert (ready.status_code, live.status_code) == (503, 200)
    finished.assert_ok()
