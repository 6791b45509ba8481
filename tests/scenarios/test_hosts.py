"""A primary and its standby: which of them is worked on, and what a failover does."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from tests.cluster import OWNER, PASSWORD, Cluster, running_cluster, running_standby
from tests.scenarios.process import DEADLINE, project, run, running
from tests.scenarios.scene import (
    MAKE_TABLE,
    SOON,
    WAITING,
    MakeScene,
    Scene,
    assert_beaten,
    gate_of,
)
from tests.scenarios.test_concurrent_indexes import BLOCK, BUILD, ENVS, ITS_INDEX, VALID

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Pair:
    """Two servers, the second of which follows the first until it is promoted."""

    primary: Cluster
    standby: Cluster

    def url(self, database: str, *, first: str = "primary") -> str:
        """Return the URL that names both."""
        servers = [self.primary, self.standby]
        if first == "standby":
            servers.reverse()
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in servers)
        return f"postgresql://{OWNER}:{PASSWORD}@{hosts}/{database}"

    def catch_up(self) -> None:
        """Return when the standby has all that the primary has."""
        [[position]] = self.primary.query("SELECT pg_current_wal_lsn()::text")
        query = f"SELECT pg_last_wal_replay_lsn() >= '{position}'"
        while self.standby.query(query) != [(True,)]:
            pass

    @contextmanager
    def lost(self) -> Iterator[None]:
        """Kill the primary; when all is over it is there again, for the tests to tidy up."""
        self.primary.stop("immediate")
        try:
            yield
        finally:
            self.primary.start()

    def promote(self) -> None:
        """Have the standby take the primary's place."""
        self.standby.pg_ctl("promote")


@pytest.fixture
def pair(debian_cluster: Cluster) -> Iterator[Pair]:
    """Give a primary and its standby, both of Debian's."""
    with (
        TemporaryDirectory(prefix="pair-", dir=debian_cluster.folder.parent) as folder,
        running_cluster(Path(folder) / "primary", 15) as primary,
        running_standby(Path(folder) / "standby", primary) as standby,
    ):
        yield Pair(primary, standby)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Give what is ended when the test is."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def pair_scene(pair: Pair, make_scene: MakeScene) -> Scene:
    """Give a scene on the primary, whose second revision waits in the middle of its work."""
    body = f'{BLOCK}op.execute("{BUILD}")\n{WAITING}'
    return make_scene(pair.primary, body)


def test_a_standby_is_waited_out(tmp_path: Path, pair: Pair) -> None:
    """It takes no writes before it is promoted, which is what one waits for."""
    with pair.primary.database() as name:
        url = pair.standby.url(name)
        folder = project(tmp_path)
        pair.catch_up()
        refused = run(folder, "wait-db", DATABASE_URL=url, DB_WAIT_TIMEOUT="0.5")
        refused.assert_failed(
            3,
            "PostgreSQL at … was not reachable within 0.5 s: it is a standby, and this needs the "
            "primary. …",
        )
        with running(folder, "migrate", DATABASE_URL=url) as starter, pair.lost():
            starter.wait_for("Not yet: it is a standby, and this needs the primary (waiting …)")
            pair.promote()
            starter.finish().assert_ok()


@pytest.mark.parametrize("env", ENVS.values(), ids=ENVS.keys())
@pytest.mark.parametrize("first", ["primary", "standby"])
def test_the_primary_is_found(pair: Pair, make_scene: MakeScene, env: str, first: str) -> None:
    """Boot and env.py work on the same one, in whichever order the URL names them."""
    scene = make_scene(pair.primary, MAKE_TABLE, env)
    pair.catch_up()
    url = pair.url(scene.database, first=first)
    finished = scene.start(url=url).finish()
    finished.assert_ok()
    hosts = url.split("@")[1]
    finished.assert_says(f"Waiting for PostgreSQL... (postgresql://{OWNER}:***@{hosts})")
    scene.assert_complete()


def test_sqlalchemys_way_to_name_hosts(pair: Pair, make_scene: MakeScene) -> None:
    """Both ways to write it mean the same."""
    scene = make_scene(pair.primary, MAKE_TABLE)
    pair.catch_up()
    hosts = "&".join(f"host=127.0.0.1:{it.port}" for it in (pair.standby, pair.primary))
    url = f"postgresql+psycopg2://{OWNER}:{PASSWORD}@/{scene.database}?{hosts}"
    scene.start(url=url).finish().assert_ok()
    scene.assert_complete()


def test_no_primary(tmp_path: Path, pair: Pair) -> None:
    """Where none of the hosts is one, that is waited for, too."""
    with pair.primary.database() as name:
        pair.catch_up()
        url = pair.url(name)
        folder = project(tmp_path)
        with pair.lost():
            refused = run(folder, "wait-db", DATABASE_URL=url, DB_WAIT_TIMEOUT="0.5")
            refused.assert_failed(3, "PostgreSQL at … was not reachable within 0.5 s: …standby…")
            with running(folder, "migrate", DATABASE_URL=url) as starter:
                starter.wait_for("Not yet: …")
                pair.promote()
                starter.finish().assert_ok()


def test_a_failover_in_mid_migration(pair: Pair, pair_scene: Scene, stack: ExitStack) -> None:
    """It ends with a word, and the next one goes on where the journal says, on the new primary."""
    scene = pair_scene
    url = pair.url(scene.database)
    with gate_of(scene) as gate:
        first = scene.start(url=url)
        gate.wait_for(first)
        pair.catch_up()
        stack.enter_context(pair.lost())
        pair.promote()
    assert_beaten(first.finish(SOON))
    promoted = Scene(pair.standby, scene.database, scene.zygote, scene.folder, scene.foreign)
    # Whether it could still be written how it ended depends on when the new one takes writes.
    assert promoted.journal(first=first)[1] in ("b2 running first", "b2 failed first")
    second = promoted.start(url=url)
    again = second.finish(SOON)
    again.assert_ok()
    again.assert_says("Index public.by_name is there already, as the revision builds it: kept")
    promoted.assert_complete()
    assert promoted.query(ITS_INDEX) == VALID
    rows = ["a1 applied first", "b2 failed first", "b2 applied second", "c3 applied second"]
    assert promoted.journal(first=first, second=second) == rows


def test_the_service_goes_on(tmp_path: Path, pair: Pair, stack: ExitStack) -> None:
    """What serves finds the new primary by itself."""
    with pair.primary.database() as name, stack:
        url = pair.url(name)
        with running(
            project(tmp_path), "start", DATABASE_URL=url, BACKEND_PORT="0", SEED="true"
        ) as inv:
            inv.wait_for("Backend started")
            books = f"{inv.url}/api/v1/books"
            assert httpx.get(books).status_code == 200
            pair.catch_up()
            stack.enter_context(pair.lost())
            pair.promote()
            deadline = time.monotonic() + DEADLINE
            while httpx.get(books, timeout=DEADLINE).status_code != 200:
                assert time.monotonic() < deadline
            assert httpx.get(f"{inv.url}/health/ready").status_code == 200
