"""The version table and the journal, where they are locked, in the way, or named oddly."""

import os
import subprocess
import threading
from contextlib import closing
from pathlib import Path
from signal import SIGTERM

import pytest

from tests.cluster import OWNER, Cluster
from tests.proxy import Proxy
from tests.scenarios.process import (
    DEADLINE,
    FOREIGN_ENV,
    INV,
    ForeignProject,
    project,
    relations,
    revisions,
    run,
)
from tests.scenarios.scene import MAKE_TABLE, SOON, WAITING, MakeScene, gate_of

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
    any_cluster: Cluster, make_scene: MakeScene
) -> None:
    """Who comes meanwhile says for whom it waits, and goes on when the revision is done."""
    scene = make_scene(any_cluster, WIDENING)
    with gate_of(scene) as gate:
        first = scene.start()
        gate.wait_for(first)
        second = scene.start()
        second.wait_for(f"Waiting: {HELD}")
        scene.start(MIGRATE_LOCK_TIMEOUT="1").finish().assert_failed(
            6, f"{HELD} See what that session is doing. Nothing was changed."
        )
        status = run(
            scene.folder,
            "status",
            ALEMBIC_CONFIG=str(scene.foreign.config),
            DATABASE_URL=any_cluster.url(scene.database),
        )
        status.assert_failed(6, f"{HELD} See what that session is doing. Nothing was changed.")
        gate.open()
        first.finish().assert_ok()
        finished = second.finish()
    finished.assert_ok()
    finished.assert_says("Database migrations completed successfully (already up to date)")
    scene.assert_complete()


def test_a_journal_that_is_locked(cluster: Cluster, make_scene: MakeScene) -> None:
    """It is waited for as long as for another starter, and no longer."""
    scene = make_scene(cluster, MAKE_TABLE)
    scene.start(MIGRATION_TARGET="a1").finish().assert_ok()
    with closing(cluster.connect(scene.database)) as other:
        other.cursor().execute("BEGIN; LOCK TABLE schema_journal")
        scene.start(MIGRATE_LOCK_TIMEOUT="1").finish().assert_failed(
            6, "Another session (a session, backend …) keeps … locked, …"
        )
        waiting = scene.start()
        waiting.wait_for("Waiting: Another session (…")
        other.cursor().execute("ROLLBACK")
        waiting.finish().assert_ok()
    assert revisions(cluster, scene.database) == ["c3"]


IN_THE_WAY = {
    "a table": "CREATE TABLE schema_journal (id int, version_table text)",
    "a view": "CREATE VIEW schema_journal AS SELECT 1 AS id",
}


@pytest.mark.parametrize("statement", IN_THE_WAY.values(), ids=IN_THE_WAY.keys())
def test_something_else_of_the_journals_name(
    cluster: Cluster, make_scene: MakeScene, statement: str
) -> None:
    """It is left alone, and named."""
    scene = make_scene(cluster, MAKE_TABLE)
    cluster.execute(statement, scene.database)
    scene.start().finish().assert_failed(
        5,
        '"public"."schema_journal" is where the journal belongs, and it is something else. '
        "Rename it. Nothing was changed.",
    )


def test_a_schema_with_every_character(cluster: Cluster, make_scene: MakeScene) -> None:
    """A name that means something to drivers, formats and SQL is a name all the same."""
    schema = '50% "of" {all}\'s'
    env = FOREIGN_ENV.replace(
        "target_metadata=None", f"target_metadata=None, version_table_schema={schema!r}"
    )
    scene = make_scene(cluster, MAKE_TABLE, env)
    name = '"' + schema.replace('"', '""') + '"'
    cluster.execute(f"CREATE SCHEMA {name} AUTHORIZATION {OWNER}", scene.database)
    scene.start().finish().assert_ok()
    rows = scene.query(f"SELECT revision, status FROM {name}.schema_journal ORDER BY id")
    assert rows == [("a1", "applied"), ("b2", "applied"), ("c3", "applied")]
    again = scene.start().finish()
    again.assert_ok()
    again.assert_says("Database migrations completed successfully (already up to date)")


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


def test_a_role_without_the_right(cluster: Cluster, make_scene: MakeScene) -> None:
    """What to do about it is not to fix the revision."""
    scene = make_scene(cluster, 'op.execute("CREATE ROLE never")')
    scene.start().finish().assert_failed(
        5,
        "Migration b2 Foreign b2 failed: … Grant the role the right, or set "
        "MIGRATION_DATABASE_URL to the schema's owner.",
    )


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
