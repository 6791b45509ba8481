"""The journal and the version table, if they are locked, in the way, or named oddly."""

from contextlib import closing

import pytest

from tests.boot.in_process import MakeScene
from tests.cluster import OWNER, Cluster
from tests.scenarios.process import (
    FOREIGN_ENV,
    revisions,
)
from tests.scenarios.scene import MAKE_TABLE

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
