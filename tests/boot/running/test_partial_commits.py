"""Revisions that were cut short when they had committed a part: what is done twice, and said."""

import pytest

from tests.boot.in_process import MakeScene, Run
from tests.cluster import Cluster
from tests.scenarios.index_builds import BLOCK, execute
from tests.scenarios.live_traffic import blocking
from tests.scenarios.scene import MAKE_TABLE, SOON, Scene

pytestmark = pytest.mark.slow


BUILD = 'op.execute("CREATE INDEX CONCURRENTLY by_name ON steps (name)")'


WRITE = "INSERT INTO steps (name) VALUES ('other')"


MOVE = """
CREATE TABLE points AS SELECT 100 AS number;
CREATE FUNCTION move_points(who text) RETURNS int LANGUAGE sql AS
    'UPDATE points SET number = number * 2 RETURNING number';
"""


HARMFUL = {
    "after an apostrophe in a comment": "SELECT -- don't forget\\n move_points('gold')",
    "after one in a string": "SELECT E'it\\\\'s', move_points('gold')",
    "in a table that is filled": "CREATE TABLE IF NOT EXISTS x AS SELECT move_points('gold')",
}


def make(make_scene: MakeScene, cluster: Cluster, body: str) -> Scene[Run]:
    """Return a scene whose first revision has run."""
    return make_scene(cluster, body, begun=True)


@pytest.mark.parametrize("statement", HARMFUL.values(), ids=HARMFUL.keys())
def test_harm_is_not_done_twice(cluster: Cluster, make_scene: MakeScene, statement: str) -> None:
    """What calls somebody's function is not run again, however it is written."""
    scene = make(make_scene, cluster, f'{BLOCK}op.execute("{statement}")\n    {BUILD}\n')
    execute(scene, MOVE)
    with blocking(cluster, scene.database, WRITE):
        first = scene.start()
        scene.wait_until(
            "SELECT EXISTS (SELECT FROM pg_stat_progress_create_index"
            f" WHERE datname = '{scene.database}')"
        )
        scene.query(f"SELECT pg_terminate_backend({scene.backend_of(first)})")
        assert first.finish().status == 5
    refused = "Migration b2 Foreign b2 was interrupted after … (… move_points(…)), which may do …"
    scene.start().finish(SOON).assert_failed(5, refused)
    assert scene.query("SELECT number FROM points") == [(200,)]


def test_a_column_with_a_default_for_deletions(cluster: Cluster, make_scene: MakeScene) -> None:
    """SET DEFAULT is about another table's rows here: the column cannot be added again."""
    execute_ = (
        'op.execute("ALTER TABLE steps ADD COLUMN pace_id int REFERENCES paces ON DELETE SET'
        ' DEFAULT")'
    )
    scene = make(make_scene, cluster, f"{BLOCK}{execute_}\n{MAKE_TABLE}")
    execute(scene, "CREATE TABLE paces (id int PRIMARY KEY); CREATE TABLE t_b2 ()")
    first = scene.start().finish()
    first.assert_failed(5, "Migration b2 Foreign b2 failed: …")
    first.assert_says("Migration b2 Foreign b2 keeps what it committed: ALTER TABLE steps ADD …")
    execute(scene, "DROP TABLE t_b2")
    scene.start().finish().assert_failed(5, "Migration b2 Foreign b2 was interrupted after …")


def test_an_enums_value_before_a_block(cluster: Cluster, make_scene: MakeScene) -> None:
    """A transaction's statement is said again as it is, so it is known that it was committed."""
    body = f"op.execute(\"ALTER TYPE mood ADD VALUE 'sleepy'\")\n{BLOCK}{BUILD}\n{MAKE_TABLE}"
    scene = make(make_scene, cluster, body)
    execute(scene, "CREATE TYPE mood AS ENUM ('calm'); CREATE TABLE t_b2 ()")
    first = scene.start().finish()
    first.assert_failed(5, "Migration b2 Foreign b2 failed: …")
    first.assert_says("Migration b2 Foreign b2 keeps what it committed: ALTER TYPE mood ADD VALU…")
    scene.start().finish().assert_failed(5, "Migration b2 Foreign b2 was interrupted after …")


def test_no_secret_is_told(cluster: Cluster, make_scene: MakeScene) -> None:
    """What a statement says is in neither the log nor the journal, whatever stands around it."""
    update = "UPDATE steps /* don't index */ SET name = 'hunter2' WHERE id = 1"
    body = f'{BLOCK}op.execute("{update}")\n    op.execute("UPDATE steps SET nothing = 1")'
    scene = make(make_scene, cluster, body)
    finished = scene.start().finish()
    finished.assert_failed(5, "Migration b2 Foreign b2 failed: …")
    said = "UPDATE steps SET name = … WHERE id = …"
    finished.assert_says(f"Migration b2 Foreign b2 keeps what it committed: {said}. A new …")
    finished.assert_never_says("…hunter2…")
    [[committed]] = scene.query("SELECT committed FROM schema_journal WHERE status = 'failed'")
    assert "hunter2" not in str(committed)
    refused = scene.start().finish()
    assert refused.status == 5
    assert f"({said})" in refused.stderr[0]


def test_a_commit_among_others(cluster: Cluster, make_scene: MakeScene) -> None:
    """One that is said together with what it commits is noticed as well."""
    insert = "INSERT INTO steps (name) VALUES ('mine')"
    body = f'op.execute("{insert}; /* so far */ COMMIT; BEGIN")\n{MAKE_TABLE}'
    scene = make(make_scene, cluster, body)
    execute(scene, "CREATE TABLE t_b2 ()")
    first = scene.start().finish()
    first.assert_failed(5, "Migration b2 Foreign b2 failed: …")
    first.assert_says("Migration b2 Foreign b2 keeps what it committed: INSERT INTO steps (name) …")
    scene.start().finish().assert_failed(5, "Migration b2 Foreign b2 was interrupted after …")
