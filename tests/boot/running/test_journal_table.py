"""The journal and the version table, if they are locked, in the way, or named oddly."""

import json
from contextlib import closing

import pytest

from tests.boot.in_process import MakeScene, Run, Task, reading_status, run, showing_status
from tests.cluster import OWNER, Cluster
from tests.scenarios.process import FOREIGN_ENV, revisions
from tests.scenarios.scene import MAKE_TABLE, Scene

pytestmark = pytest.mark.slow


def test_a_journal_that_is_locked(cluster: Cluster, make_scene: MakeScene) -> None:
    """It is waited for as long as for another starter, and no longer."""
    scene = make_scene(cluster, MAKE_TABLE, begun=True)
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
        '"public"."schema_journal" has the name of the journal, but is another object. '
        "Rename it. Nothing was changed.",
    )


def printed(scene: Scene[Run], task: Task) -> str:
    """Return what a task prints about the scene's database."""
    url = scene.cluster.url(scene.database)
    finished = run(task, ALEMBIC_CONFIG=str(scene.foreign.config), DATABASE_URL=url)
    assert finished.status == 0, finished
    return finished.printed


IN_OTHER_TYPES = {
    "a time as text": "started_at TYPE text USING 'yesterday'",
    "a time without a zone": "finished_at TYPE timestamp",
    "a number as a revision": "revision TYPE int USING 1",
    "rows without a host": "host DROP NOT NULL",
}


@pytest.mark.parametrize("change", IN_OTHER_TYPES.values(), ids=IN_OTHER_TYPES.keys())
def test_columns_of_other_types(cluster: Cluster, make_scene: MakeScene, change: str) -> None:
    """It cannot be written, and what is in it cannot be trusted: it is another object."""
    scene = make_scene(cluster, MAKE_TABLE, begun=True)
    cluster.execute(f"ALTER TABLE schema_journal ALTER {change}", scene.database)
    assert "journal" not in printed(scene, showing_status)
    scene.start().finish().assert_failed(
        5,
        '"public"."schema_journal" has the name of the journal, but is another object. '
        "Rename it. Nothing was changed.",
    )


ODD_TIMES = ["0044-03-15 BC", "99999-01-01", "infinity", "-infinity"]


@pytest.mark.parametrize("time", ODD_TIMES)
def test_times_that_python_does_not_have(
    cluster: Cluster, make_scene: MakeScene, time: str
) -> None:
    """They count as unknown, also in the row of a starter that died."""
    scene = make_scene(cluster, MAKE_TABLE, begun=True)
    cluster.execute(
        f"UPDATE schema_journal SET started_at = '{time}', finished_at = '{time}', "
        f"backend_start = '{time}'",
        scene.database,
    )
    assert "journal   -        upgrade    a1" in printed(scene, showing_status)
    [row] = json.loads(printed(scene, reading_status))["journal"]
    assert [row[it] for it in ("started_at", "finished_at", "backend_start")] == [None] * 3
    cluster.execute(
        "INSERT INTO schema_journal (version_table, revision, direction, phase, status, "
        "started_at, host, pid, session_key) SELECT version_table, 'b2', 'upgrade', 'contract', "
        "'running', started_at, 'gone', 1, 1 FROM schema_journal",
        scene.database,
    )
    assert "died" in printed(scene, showing_status)
    scene.start().finish().assert_ok()
    assert revisions(cluster, scene.database) == ["c3"]


def test_a_revision_that_drops_it(cluster: Cluster, make_scene: MakeScene) -> None:
    """Alembic's comparison without the plugin writes such a line; the failure names it."""
    scene = make_scene(cluster, 'op.drop_table("schema_journal")')
    scene.start().finish().assert_failed(
        5,
        "Migration b2 … failed: … The revision drops schema_journal, the table of the migrations' "
        "journal: take that line out, and start again.",
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


def test_a_role_without_the_right(cluster: Cluster, make_scene: MakeScene) -> None:
    """What to do about it is not to fix the revision."""
    scene = make_scene(cluster, 'op.execute("CREATE ROLE never")')
    scene.start().finish().assert_failed(
        5,
        "Migration b2 Foreign b2 failed: … Grant the role the right, or set "
        "MIGRATION_DATABASE_URL to the schema's owner.",
    )
