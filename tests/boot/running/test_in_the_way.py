"""What keeps locks for long is named before the first one is asked for, and when it holds off."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg2
import pytest

from alembic_boot.postgres.embedded import import_package
from tests.boot.in_process import MakeScene, Run
from tests.cluster import Cluster, running_cluster
from tests.scenarios.live_traffic import blocking
from tests.scenarios.scene import MAKE_TABLE, SOON, Scene

pytestmark = pytest.mark.slow

ALTER = f'op.execute("ALTER TABLE big ADD COLUMN more int")\n{MAKE_TABLE}'

SLOWLY = "autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1"
"""Has a vacuum take minutes for what takes it a moment."""


@pytest.fixture(scope="module")
def busy_cluster() -> Iterator[Cluster]:
    """Give a server that vacuums every second, and keeps prepared transactions."""
    memory = Path("/dev/shm")
    folder = str(memory) if memory.is_dir() else None
    with (
        TemporaryDirectory(prefix="postgres-of-tests-", dir=folder) as name,
        running_cluster(Path(name) / "data", 18) as cluster,
    ):
        cluster.execute("ALTER SYSTEM SET max_prepared_transactions = 5")
        cluster.execute("ALTER SYSTEM SET autovacuum_naptime = '1s'")
        cluster.stop("fast")
        cluster.start()
        yield cluster


@pytest.fixture
def scene(busy_cluster: Cluster, make_scene: MakeScene) -> Scene[Run]:
    """Give a scene with a table of some size, which its second revision alters."""
    scene = make_scene(busy_cluster, ALTER, begun=True)
    execute(
        scene,
        "CREATE TABLE big WITH (autovacuum_enabled = false) AS"
        " SELECT number, repeat('x', 500) AS filling FROM generate_series(1, 30000) AS number",
    )
    return scene


def execute(scene: Scene[Run], *statements: str) -> None:
    """Execute each statement as the owner, outside of a transaction."""
    with closing(psycopg2.connect(scene.cluster.url(scene.database))) as connection:
        connection.autocommit = True
        for statement in statements:
            connection.cursor().execute(statement)


def wait_for_vacuum(scene: Scene[Run]) -> int:
    """Return the worker that vacuums the table as soon as there is one."""
    query = "SELECT pid FROM pg_stat_progress_vacuum WHERE relid = 'big'::regclass"
    scene.wait_until(f"SELECT EXISTS ({query})")
    [[pid]] = scene.query(query)
    assert isinstance(pid, int)
    return pid


def test_nothing(scene: Scene[Run]) -> None:
    """Where nothing is in the way, nothing is said."""
    finished = scene.start().finish()
    finished.assert_ok()
    finished.assert_never_says("In the way: …")


def test_a_prepared_transaction(scene: Scene[Run]) -> None:
    """It belongs to no session that could be named, so it has its own name."""
    with blocking(scene.cluster, scene.database, "SELECT FROM big") as other:
        other.cursor().execute("PREPARE TRANSACTION 'nightly'")
    starter = scene.start()
    name = "the prepared transaction 'nightly' (of moriai_user, since …)"
    starter.wait_for(
        f"In the way: {name}. It keeps its locks until it is ended: run COMMIT PREPARED or …"
    )
    starter.wait_for(f"Migration b2 Foreign b2 is blocked by {name}; retrying …")
    execute(scene, "ROLLBACK PREPARED 'nightly'")
    starter.finish(SOON).assert_ok()


def test_a_prepared_transaction_elsewhere(scene: Scene[Run]) -> None:
    """Only the one that has what is asked for is said to hold the migration off."""
    execute(scene, "CREATE TABLE other (id int)")
    for name, table in [("nightly", "big"), ("elsewhere", "other")]:
        with blocking(scene.cluster, scene.database, f"SELECT FROM {table}") as session:
            session.cursor().execute(f"PREPARE TRANSACTION '{name}'")
    starter = scene.start()
    starter.wait_for("In the way: the prepared transaction 'elsewhere' …")
    starter.wait_for(
        "Migration b2 Foreign b2 is blocked by the prepared transaction 'nightly' (of "
        "moriai_user, since …); retrying …"
    )
    execute(scene, "ROLLBACK PREPARED 'nightly'")
    finished = starter.finish(SOON)
    finished.assert_ok()
    finished.assert_never_says("… is blocked by …'elsewhere'…")
    execute(scene, "ROLLBACK PREPARED 'elsewhere'")


def test_who_has_left_the_way(busy_cluster: Cluster, make_scene: MakeScene) -> None:
    """Somebody who was waited for, and idles now, is not named any more."""
    body = """
    with op.get_context().autocommit_block():
        op.execute("CREATE INDEX CONCURRENTLY by_name ON steps (name)")
    """
    scene = make_scene(busy_cluster, body, begun=True)
    insert = "INSERT INTO steps (name) VALUES ('a1')"
    with (
        blocking(scene.cluster, scene.database, insert, name="first") as first,
        blocking(scene.cluster, scene.database, insert, name="second") as second,
    ):
        starter = scene.start()
        said = starter.wait_for("Migration b2 Foreign b2: … waiting for backend …")
        leaves, stays = (first, second) if "(first, " in said else (second, first)
        leaves.cursor().execute("ROLLBACK")
        name = f"waiting for backend {stays.info.backend_pid} (…)"
        starter.wait_for(f"Migration b2 Foreign b2: … {name}")
        stays.cursor().execute("ROLLBACK")
        finished = starter.finish(SOON)
    finished.assert_ok()
    finished.assert_never_says(f"… waiting for backend {leaves.info.backend_pid} …, backend …")
    finished.assert_never_says(f"… waiting for backend …, backend {leaves.info.backend_pid} …")


@pytest.mark.parametrize(
    ("options", "name", "who"),
    [
        ([], None, "backend …"),
        ([], "nightly", "backend …, nightly"),
        (["--inserts"], "nightly", "backend …, nightly"),
    ],
    ids=["plain", "of another name", "as INSERTs"],
)
def test_a_dump(scene: Scene[Run], options: list[str], name: str | None, who: str) -> None:
    """A real one, which nobody reads from: it is at it as long as we like."""
    environment = os.environ | ({"PGAPPNAME": name} if name else {})
    server = import_package().get_server(scene.cluster.folder, cleanup_mode=None, start=False)
    with subprocess.Popen(
        [
            Path(server.bin_path) / "pg_dump",
            f"--dbname={scene.cluster.url(scene.database)}",
            "--table=big",
            *options,
        ],
        stdout=subprocess.PIPE,
        env=environment,
    ) as dump:
        assert dump.stdout is not None
        dump.stdout.read(20_000)  # past its preamble
        starter = scene.start()
        starter.wait_for(f"In the way: pg_dump ({who}). Tables that it dumps cannot be altered …")
        held_off = f"is blocked by backend … ({name or 'pg_dump'}, …); …"
        starter.wait_for(f"Migration b2 Foreign b2 {held_off}")
        dump.stdout.read()
        starter.finish(SOON).assert_ok()
    assert dump.returncode == 0


def test_a_vacuum_steps_aside(scene: Scene[Run]) -> None:
    """It does so for whoever waits a second, which no statement of ours does; so it is asked to."""
    execute(
        scene,
        f"ALTER TABLE big SET (autovacuum_enabled = true, {SLOWLY},"
        " autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0)",
        "DELETE FROM big WHERE number % 2 = 0",
    )
    pid = wait_for_vacuum(scene)
    finished = scene.start().finish(SOON)
    finished.assert_ok()
    finished.assert_never_says("In the way: …")
    finished.assert_says(f"Migration b2 Foreign b2 is blocked by backend {pid} (autovacuum); …")
    scene.wait_until(f"SELECT count(*) = 0 FROM pg_stat_progress_vacuum WHERE pid = {pid}")


def test_a_vacuum_against_wraparound(scene: Scene[Run]) -> None:
    """It does not step aside, which is said beforehand."""
    execute(
        scene,
        f"ALTER TABLE big SET ({SLOWLY}, autovacuum_freeze_max_age = 100000)",
        "CREATE TABLE spent (number int)",
        # Each is a transaction of its own, with a number of its own.
        "DO $$ BEGIN FOR number IN 1..110000 LOOP"
        " BEGIN INSERT INTO spent VALUES (number); EXCEPTION WHEN division_by_zero THEN END;"
        " END LOOP; END $$",
    )
    pid = wait_for_vacuum(scene)
    finished = scene.start(MIGRATE_TRAFFIC_TIMEOUT="3").finish(SOON)
    finished.assert_failed(5, f"Migration b2 Foreign b2 is blocked by backend {pid} (…")
    finished.assert_says(
        f"In the way: a vacuum of public.big against wraparound (backend {pid}), which does not "
        "end for a lock request. Migrations of that table wait until it ends."
    )
