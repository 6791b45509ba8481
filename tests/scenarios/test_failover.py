"""A failover in mid-migration: the primary dies, its standby takes over, the next start goes on.

The standby has all that was committed. What the interrupted one says of its revision is true on
the new primary, and the journal there says the same.
"""

from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.cluster import PASSWORD, Cluster
from tests.proxy import Proxy
from tests.scenarios.envs import DRIVERS
from tests.scenarios.process import DEADLINE, matches, project, running
from tests.scenarios.scene import (
    AUTOCOMMIT,
    IN_COMMIT,
    LOST,
    LOST_ALONE,
    MAKE_TABLE,
    SOON,
    WAITING,
    MakeScene,
    Scene,
    gate_of,
    step,
)
from tests.scenarios.starters import Starter

pytestmark = pytest.mark.slow

Pair = tuple[Cluster, Cluster]

READ_ONLY = "cannot execute … in a read-only transaction"


def url_of(scene: Scene[Starter], *ports: int) -> str:
    """Return the owner's URL of the scene's database, which is on one of several hosts."""
    address = f"127.0.0.1:{scene.cluster.port}"
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    return scene.cluster.url(scene.database).replace(address, hosts)


def fail_over(pair: Pair) -> None:
    """Kill the primary, and make its standby the next one."""
    pair[0].stop()
    pair[1].promote()


@pytest.mark.parametrize("is_first", [True, False], ids=["named first", "named last"])
def test_in_a_revision(pair: Pair, make_scene: MakeScene, is_first: bool) -> None:
    """The revision is lost with the primary; the next start finds the new one and goes on."""
    scene = make_scene(pair[0], WAITING)
    after = replace(scene, cluster=pair[1])
    url = url_of(scene, *[server.port for server in (pair if is_first else reversed(pair))])
    with gate_of(scene) as gate:
        first = scene.start(url=url)
        gate.wait_for(first)
        fail_over(pair)
        first.finish(SOON).assert_failed(5, LOST)
    after.assert_at_first()
    # The loser writes so itself where the new primary takes writes by then; else the next one does.
    second = after.start(url=url)
    second.finish().assert_ok()
    after.assert_complete()
    assert after.journal(first=first, second=second) == [
        "a1 applied first",
        "b2 failed first",
        "b2 applied second",
        "c3 applied second",
    ]


def test_at_commit(pair: Pair, make_scene: MakeScene) -> None:
    """A commit that nobody was told of any more holds on the new primary, and is not repeated."""
    scene = make_scene(pair[0], WAITING)
    after = replace(scene, cluster=pair[1])
    url = url_of(scene, *[server.port for server in pair])
    with gate_of(scene) as gate:
        first = scene.start(url=url)
        backend = gate.wait_for(first)
        pair[1].query("SELECT pg_wal_replay_pause()")  # what a commit waits for
        gate.open()
        scene.wait_until(
            f"SELECT wait_event = 'SyncRep' FROM pg_stat_activity WHERE pid = {backend}"
        )
        pair[0].stop()
        pair[1].query("SELECT pg_wal_replay_resume()")
        after.wait_until("SELECT version_num = 'b2' FROM alembic_version")
        pair[1].promote()
    first.finish(SOON).assert_failed(5, IN_COMMIT)
    second = after.start(url=url)
    second.finish().assert_ok()
    after.assert_complete()
    assert after.journal(first=first, second=second) == [
        "a1 applied first",
        "b2 applied first",
        "c3 failed first",  # it was announced, and had not begun
        "c3 applied second",
    ]


def test_a_session_that_ends_at_commit(pair: Pair, make_scene: MakeScene) -> None:
    """Where only the migration's session dies, its commit holds as well, and that is said."""
    scene = make_scene(pair[0], WAITING)
    with gate_of(scene) as gate:
        first = scene.start()
        backend = gate.wait_for(first)
        pair[1].query("SELECT pg_wal_replay_pause()")
        gate.open()
        scene.wait_until(
            f"SELECT wait_event = 'SyncRep' FROM pg_stat_activity WHERE pid = {backend}"
        )
        scene.query(f"SELECT pg_terminate_backend({backend})")
        scene.wait_for_end(backend)
        pair[1].query("SELECT pg_wal_replay_resume()")
        first.finish(SOON).assert_failed(
            5,
            "Migration b2 Foreign b2 failed: …. The database is at b2 now: it was committed. "
            "Start again.",
        )
    scene.start().finish().assert_ok()
    scene.assert_complete()


def test_in_an_autocommit_block(pair: Pair, make_scene: MakeScene) -> None:
    """What the block had done is on the new primary, too, and the journal there knows of it."""
    scene = make_scene(pair[0], AUTOCOMMIT)
    after = replace(scene, cluster=pair[1])

    def fail_over_in_between(_number: int, statement: str) -> None:
        if pair[0].is_running and "'second'" in statement:
            fail_over(pair)

    with Proxy(pair[0].port, on_query=fail_over_in_between) as proxy:
        first = scene.start(url=url_of(scene, proxy.port, pair[1].port))
        first.finish(SOON).assert_failed(5, LOST_ALONE)
    url = url_of(scene, *[server.port for server in pair])
    doubtful = "Migration b2 Foreign b2 was interrupted after … (INSERT INTO steps (name, …), …"
    after.start(url=url).finish().assert_failed(5, doubtful)
    assert [name for name, _ in after.steps()] == ["first"]
    assert after.journal(first=first)[1] == "b2 failed first"
    after.query("DELETE FROM schema_journal WHERE revision = 'b2' RETURNING id")
    after.start(url=url).finish().assert_ok()
    after.assert_complete()


def test_behind_one_address(pair: Pair, make_scene: MakeScene) -> None:
    """Where an address moves to the new primary, one host in the URL is enough."""
    scene = make_scene(pair[0], WAITING)
    after = replace(scene, cluster=pair[1])
    with Proxy(pair[0].port) as proxy, gate_of(scene) as gate:
        first = scene.start(proxy.port)
        gate.wait_for(first)
        fail_over(pair)
        proxy.lead_to(pair[1].port)
        first.finish(SOON).assert_failed(5, LOST)
        after.assert_at_first()
        after.start(proxy.port).finish().assert_ok()
    after.assert_complete()


@pytest.mark.parametrize(
    ("pattern", "statuses"),
    [
        ("…pg_postmaster_start_time())::text, oid::text…", {3}),
        ("…pg_try_advisory_xact_lock…", {0, 3, 5}),
        ("…INSERT INTO …schema_journal…'b2'…", {3, 5}),
        ("…SET version_num = E'b2'…", {5}),
    ],
    ids=["before the lock", "at the lock", "before a revision", "before its commit"],
)
def test_anywhere(pair: Pair, make_scene: MakeScene, pattern: str, statuses: set[int]) -> None:
    """Wherever it comes, one sentence says so, and the next start brings all to its end.

    Where only the turn to look is lost by it, the start itself goes on.
    """
    scene = make_scene(pair[0], f"{MAKE_TABLE}\n{step('b2')}")
    after = replace(scene, cluster=pair[1])

    def fail_over_there(_number: int, statement: str) -> None:
        if pair[0].is_running and matches(" ".join(statement.split()), pattern):
            fail_over(pair)
            proxy.lead_to(pair[1].port)

    with Proxy(pair[0].port, on_query=fail_over_there) as proxy:
        first = scene.start(proxy.port).finish()
        assert not pair[0].is_running
        assert first.status in statuses, first
        assert len(first.stderr) == (first.status > 0), first
        after.start(proxy.port).finish().assert_ok()
    after.assert_complete()


def test_between_boot_and_env_py(pair: Pair, make_scene: MakeScene) -> None:
    """An env.py that gets to the new primary first is not taken for one that goes elsewhere."""
    scene = make_scene(pair[0], MAKE_TABLE)
    after = replace(scene, cluster=pair[1])
    asks_where_it_is = "…pg_postmaster_start_time())::text, oid::text…"
    standbys = [pair[1]]

    def move_there(_number: int, statement: str) -> None:
        if standbys and matches(" ".join(statement.split()), asks_where_it_is):
            standbys.pop().promote()
            proxy.lead_to(pair[1].port)

    with Proxy(pair[0].port, on_query=move_there) as proxy:
        scene.start(proxy.port).finish().assert_ok()
    assert standbys == []
    pair[0].stop()  # which would wait for its standby whenever something is committed
    after.assert_complete()


def test_env_py_by_another_driver(pair: Pair, make_scene: MakeScene) -> None:
    """asyncpg, which has its own way with several hosts, finds the primary as libpq does."""
    scene = make_scene(pair[0], MAKE_TABLE, env=DRIVERS["asyncpg"])
    url = url_of(scene, pair[1].port, pair[0].port)
    scene.start(url=url.replace("postgresql:", "postgresql+asyncpg:")).finish().assert_ok()
    scene.assert_complete()


@pytest.mark.parametrize("form", ["libpq", "SQLAlchemy"])
def test_while_it_serves(pair: Pair, tmp_path: Path, form: str) -> None:
    """The application finds the new primary as boot found the old one, and is not restarted."""
    folder = project(tmp_path)
    ports = [pair[1].port, pair[0].port]
    with pair[0].database() as name:
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        url = pair[0].url(name).replace(f"127.0.0.1:{pair[0].port}", hosts)
        masked = url.replace(PASSWORD, "***")
        if form == "SQLAlchemy":
            several = "&".join(f"host=127.0.0.1:{port}" for port in ports)
            url = f"{url.replace(hosts, '')}?{several}"
        settings = {"APP_ENV": "test", "DATABASE_URL": url, "BACKEND_PORT": "0"}
        with running(folder, "start", **settings) as process:
            books = f"{process.url}/api/v1/books"
            assert [status_of(books), status_of(f"{process.url}/health/ready")] == [200, 200]
            fail_over(pair)
            assert [status_of(books), status_of(f"{process.url}/health/ready")] == [200, 200]
            process.interrupt()
            finished = process.finish()
    finished.assert_ok()
    finished.assert_says(f"Waiting for PostgreSQL... ({masked})", "Backend started")


def status_of(url: str) -> int:
    with urlopen(url, timeout=DEADLINE) as answer:
        return int(answer.status)


def test_commits_that_never_reached_the_standby(pair: Pair, make_scene: MakeScene) -> None:
    """What replication had not taken over is applied again: the new primary is what counts."""
    scene = make_scene(pair[0], WAITING)
    after = replace(scene, cluster=pair[1])
    url = url_of(scene, *[server.port for server in pair])
    with gate_of(scene) as gate:
        first = scene.start(url=url)
        gate.wait_for(first)
        pair[0].stop_replication(pair[1])
        gate.open()
        first.finish().assert_ok()
    scene.assert_complete()
    fail_over(pair)
    after.assert_at_first()
    second = after.start(url=url)
    second.finish().assert_ok()
    after.assert_complete()
    assert after.journal(first=first, second=second) == [
        "a1 applied first",
        "b2 failed first",
        "b2 applied second",
        "c3 applied second",
    ]


def test_an_address_that_leads_to_a_standby(pair: Pair, make_scene: MakeScene) -> None:
    """A server that takes no writes any more is told from a revision that is wrong."""
    scene = make_scene(pair[0], MAKE_TABLE)
    scene.start(MIGRATION_TARGET="a1").finish().assert_ok()

    def move(_number: int, statement: str) -> None:
        if "pg_is_in_recovery" in statement:  # the last statement of the wait
            proxy.lead_to(pair[1].port)

    with Proxy(pair[0].port, on_query=move) as proxy:
        scene.start(proxy.port).finish().assert_failed(
            5,
            "The database takes no writes from this session: transactions are read-only. "
            "Connect to the primary, or …",
        )
        proxy.lead_to(pair[0].port)
        pair[0].execute("UPDATE schema_journal SET status = 'running'", scene.database)
        scene.start(proxy.port).finish().assert_failed(
            3,
            f"PostgreSQL at … takes no writes: {READ_ONLY}. "
            "Connect to the primary, or make it writable.",
        )
