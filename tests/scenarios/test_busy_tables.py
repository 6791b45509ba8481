"""The version table and the journal between several processes, and on a mute network.

What one process shows is in tests/boot/running/test_journal_table.py.
"""

import os
import subprocess
import threading
from pathlib import Path
from signal import SIGTERM

import pytest

from tests.cluster import Cluster
from tests.proxy import Proxy
from tests.scenarios.process import (
    DEADLINE,
    FOREIGN_ENV,
    INV,
    ForeignProject,
    project,
    relations,
    run,
)
from tests.scenarios.scene import SOON, WAITING, MakeScene, gate_of

pytestmark = pytest.mark.slow


WIDENING = f"""
op.execute("ALTER TABLE alembic_version ALTER COLUMN version_num TYPE varchar(64)")
{WAITING}
"""


HELD = (
    'Another session (…, backend …) keeps "public"."alembic_version" locked, so the schema\'s '
    "state cannot be read."
)


def test_a_revision_that_locks_the_version_table(
    tmp_path: Path, cluster: Cluster, make_scene: MakeScene
) -> None:
    """Who comes meanwhile says for whom it waits, and goes on when the revision is done."""
    scene = make_scene(cluster, WIDENING)
    with gate_of(scene) as gate:
        first = scene.start()
        gate.wait_for(first)
        second = scene.start()
        second.wait_for(f"Waiting: {HELD}")
        scene.start(MIGRATE_LOCK_TIMEOUT="1").finish().assert_failed(
            6, f"{HELD} See what that session is doing. Nothing was changed."
        )
        status = run(
            tmp_path / "project",
            "status",
            ALEMBIC_CONFIG=str(scene.foreign.config),
            DATABASE_URL=cluster.url(scene.database),
        )
        status.assert_failed(6, f"{HELD} See what that session is doing. Nothing was changed.")
        gate.open()
        first.finish().assert_ok()
        finished = second.finish()
    finished.assert_ok()
    finished.assert_says("Database migrations completed successfully (already up to date)")
    scene.assert_complete()


def test_two_histories_of_one_schema(cluster: Cluster, database: str, tmp_path: Path) -> None:
    """They have a lock each and share the journal, which they may come to make at once."""
    url = cluster.url(database)
    folders = [tmp_path / f"of_{number}" for number in range(6)]
    processes = []
    for number in range(6):
        env = FOREIGN_ENV.replace(
            "target_metadata=None", f'target_metadata=None, version_table="version_{number}"'
        )
        foreign = ForeignProject(tmp_path / f"history_{number}", env=env)
        foreign.revision(f"a{number}")
        folders[number].mkdir()
        processes.append(
            subprocess.Popen(
                [str(INV), "migrate"],
                cwd=project(folders[number]),
                env={
                    "PATH": os.environ.get("PATH", os.defpath),
                    "HOME": str(tmp_path),
                    "ALEMBIC_CONFIG": str(foreign.config),
                    "DATABASE_URL": url,
                },
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    said = [process.communicate(timeout=DEADLINE)[1] for process in processes]
    # A neighbour's table is a table without a revision, where it was there first.
    assert {process.returncode for process in processes} <= {0, 8}, said
    assert not [text for text in said if "already exists" in text or "Traceback" in text]
    assert "schema_journal" not in relations(cluster, database)


def test_a_mute_network_while_waiting(cluster: Cluster, make_scene: MakeScene) -> None:
    """A stop is heard although no answer comes, and nobody is left behind."""
    scene = make_scene(cluster, WAITING)
    with gate_of(scene) as gate, Proxy(cluster.port) as proxy:
        first = scene.start()
        gate.wait_for(first)
        second = scene.start(proxy.port)
        second.wait_for("Waiting for another starter (…")
        proxy.blackhole()
        threading.Event().wait(0.5)  # it is in mid-question then, which takes a tenth of that
        second.signal(SIGTERM)
        second.finish(SOON).assert_failed(143, "Stopped by SIGTERM.")
        gate.open()
        first.finish().assert_ok()
    scene.assert_complete()


ENVS = {
    "psycopg2": FOREIGN_ENV,
    "psycopg": FOREIGN_ENV.replace(
        "connectable = ",
        'url = config.get_main_option("sqlalchemy.url").replace("+psycopg2", "+psycopg")\n'
        'config.set_main_option("sqlalchemy.url", url)\n'
        "connectable = ",
    ),
}


@pytest.mark.parametrize("env", ENVS.values(), ids=ENVS.keys())
def test_a_mute_network_in_a_revision(cluster: Cluster, make_scene: MakeScene, env: str) -> None:
    """A stop is heard in the driver's C code, which neither an answer nor a cancel would reach."""
    scene = make_scene(cluster, WAITING, env)
    with gate_of(scene) as gate, Proxy(cluster.port) as proxy:
        first = scene.start(proxy.port)
        gate.wait_for(first)
        proxy.blackhole()
        first.signal(SIGTERM)
        first.finish(DEADLINE).assert_failed(143, "Stopped by SIGTERM.")
    second = scene.start()
    second.finish().assert_ok()
    scene.assert_complete()


def test_alembic_check_by_hand(cluster: Cluster, database: str, tmp_path: Path) -> None:
    """To compare takes no lock and writes no journal."""
    folder = project(tmp_path)
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "DATABASE_URL": cluster.url(database),
    }
    finished = subprocess.run(
        [str(INV.with_name("alembic")), "check"],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode != 0
    assert "Target database is not up to date" in finished.stdout + finished.stderr
    query = "SELECT to_regclass('schema_journal') IS NULL"
    assert cluster.query(query, database) == [(True,)]
