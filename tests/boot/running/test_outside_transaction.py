"""What a revision does outside of its transaction: retried alone, and never done twice."""

import pytest

from tests.boot.in_process import MakeScene, Run
from tests.cluster import Cluster
from tests.scenarios.index_builds import BLOCK, BODY, execute
from tests.scenarios.live_traffic import blocking, traffic
from tests.scenarios.process import FOREIGN_ENV
from tests.scenarios.scene import AUTOCOMMIT, IN_DOUBT, MAKE_TABLE, SOON, Scene, step

pytestmark = pytest.mark.slow


def make(
    make_scene: MakeScene, cluster: Cluster, body: str = BODY, env: str = FOREIGN_ENV
) -> Scene[Run]:
    """Return a scene whose first revision has run."""
    return make_scene(cluster, body, env, begun=True)


ALTER = 'op.execute("ALTER TABLE pace ADD COLUMN more int")'
ALONE = {
    "in an autocommit block": f"{BLOCK}{ALTER}\n{MAKE_TABLE}",
    "in a DO": f'{BLOCK}op.execute("DO $$ BEGIN ALTER TABLE pace ADD COLUMN more int; END $$")\n'
    f"{MAKE_TABLE}",
    "one of two": f'{BLOCK}op.execute("LOCK TABLE steps; ALTER TABLE pace ADD COLUMN more int")\n'
    f"{MAKE_TABLE}",
    "after one": f'{BLOCK}op.execute("SELECT 1")\n{ALTER}\n{MAKE_TABLE}',
    "after COMMIT": f'op.execute("COMMIT")\n{ALTER}\n{MAKE_TABLE}',
}


@pytest.mark.parametrize("body", ALONE.values(), ids=ALONE.keys())
def test_one_statement_is_tried_again(cluster: Cluster, make_scene: MakeScene, body: str) -> None:
    """What cannot be taken back with its revision is not queued for, either."""
    scene = make(make_scene, cluster, body)
    with traffic(cluster, scene.database) as found:
        with blocking(cluster, scene.database) as other:
            starter = scene.start()
            starter.wait_for("Migration b2 Foreign b2 is blocked by backend … (report, …); …")
            found.wait_for_more()
            other.cursor().execute("ROLLBACK")
        finished = starter.finish(SOON)
    finished.assert_ok()
    finished.assert_says("Migration b2 Foreign b2 succeeded after …")
    scene.assert_complete()
    assert not found.failures


STEPS = 'op.execute("ALTER TABLE steps ADD COLUMN more int")'
LATER = {
    "after a block": f'{BLOCK}op.execute("SELECT 1")\n{ALTER}\n{STEPS}',
    "after COMMIT": f'op.execute("COMMIT")\nop.execute("BEGIN")\n{ALTER}\n{STEPS}',
    "behind a row": f'{BLOCK}op.execute("SELECT 1")\n{ALTER}\n'
    "op.execute(\"UPDATE steps SET name = 'b2'\")",
}


@pytest.mark.parametrize("body", LATER.values(), ids=LATER.keys())
def test_what_it_keeps_locked_meanwhile(cluster: Cluster, make_scene: MakeScene, body: str) -> None:
    """It gives up where it cannot give back what others wait for, and does nothing by halves."""
    scene = make(make_scene, cluster, f"{body}\n{MAKE_TABLE}")
    execute(scene, "INSERT INTO steps (name) VALUES ('a1')")
    with (
        traffic(cluster, scene.database) as found,
        blocking(cluster, scene.database, "UPDATE steps SET name = 'a2'"),
    ):
        failed = scene.start().finish(SOON)
    failed.assert_failed(
        5,
        "Migration b2 Foreign b2 is blocked by backend … (report, …), and other sessions "
        "wait for locks that it holds. Its last transaction was rolled back; its earlier commits "
        "stay. Move the statements on another table into a revision of their own, and start "
        "again.",
    )
    assert not found.failures
    scene.start().finish().assert_ok()
    scene.assert_complete()


def test_an_enums_value(cluster: Cluster, make_scene: MakeScene) -> None:
    """One that was added by a try which failed later is not added again, and not missed."""
    body = f"{BLOCK}op.execute(\"ALTER TYPE mood ADD VALUE 'sleepy'\")\n{MAKE_TABLE}"
    scene = make(make_scene, cluster, body)
    execute(scene, "CREATE TYPE mood AS ENUM ('calm'); CREATE TABLE t_b2 ()")
    scene.start().finish().assert_failed(5, "Migration b2 Foreign b2 failed: …")
    execute(scene, "DROP TABLE t_b2")
    scene.start().finish().assert_ok()
    scene.assert_complete()
    assert scene.query("SELECT enum_range(NULL::mood)::text") == [("{calm,sleepy}",)]


def test_a_part_that_was_committed(cluster: Cluster, make_scene: MakeScene) -> None:
    """A block commits what stands before it: that is not done twice without a word."""
    body = f"{step('b2')}\n{BODY}"
    scene = make(make_scene, cluster, body)
    execute(scene, "CREATE TABLE t_b2 ()")
    first = scene.start().finish()
    first.assert_failed(5, "Migration b2 Foreign b2 failed: …")
    first.assert_says(
        "Migration b2 Foreign b2 keeps what it committed: INSERT INTO steps (name, …. A new …"
    )
    execute(scene, "DROP TABLE t_b2")
    refused = "Migration b2 Foreign b2 was interrupted after … (INSERT INTO steps (name, …), …"
    for _ in range(2):
        scene.start().finish().assert_failed(5, refused)
    assert len(scene.steps()) == 1
    [path] = scene.foreign.versions.glob("*b2*.py")
    path.write_text(path.read_text(encoding="utf-8").replace(step("b2"), "pass"), encoding="utf-8")
    fixed = scene.start().finish()
    fixed.assert_ok()
    fixed.assert_says("Migration b2 Foreign b2 was changed since it had committed … INSERT INTO …")
    scene.assert_complete()


def test_a_statement_that_failed_was_not_committed(cluster: Cluster, make_scene: MakeScene) -> None:
    """Nothing is in doubt where PostgreSQL said that it was not done."""
    scene = make(make_scene, cluster, AUTOCOMMIT)
    execute(scene, "ALTER TABLE steps ADD CONSTRAINT none CHECK (false)")
    scene.start().finish().assert_failed(5, "Migration b2 Foreign b2 failed: …")
    execute(scene, "ALTER TABLE steps DROP CONSTRAINT none")
    scene.start().finish().assert_ok()
    assert [name for name, _ in scene.steps()] == ["first", "second"]


FILL = f"""
{BLOCK}op.execute("CALL fill()")
{MAKE_TABLE}
"""

PROCEDURE = """
INSERT INTO steps (name) SELECT 'row' FROM generate_series(1, 3);
CREATE PROCEDURE fill() LANGUAGE plpgsql AS $$ DECLARE row_id int; BEGIN
    FOR row_id IN SELECT id FROM steps ORDER BY id LOOP
        UPDATE steps SET name = name || '!' WHERE id = row_id;
        COMMIT;
    END LOOP;
END $$;
"""

ROW = "UPDATE steps SET name = name WHERE id = 2"


def test_a_procedure_that_commits(cluster: Cluster, make_scene: MakeScene) -> None:
    """It cannot be tried again, so it has all the time there is where it waits for a row."""
    scene = make(make_scene, cluster, FILL)
    execute(scene, PROCEDURE)
    with blocking(cluster, scene.database, ROW) as other:
        starter = scene.start()
        starter.wait_for("Migration b2 Foreign b2: waiting for backend … (report, …)")
        other.cursor().execute("ROLLBACK")
    starter.finish(SOON).assert_ok()
    scene.assert_complete()
    assert [name for name, _ in scene.steps()] == ["row!"] * 3


def test_a_procedure_that_is_held_off_for_too_long(cluster: Cluster, make_scene: MakeScene) -> None:
    """What it has committed is said to be in doubt, and nobody is told to start again."""
    scene = make(make_scene, cluster, FILL)
    execute(scene, PROCEDURE)
    with blocking(cluster, scene.database, ROW):
        failed = scene.start(MIGRATE_TRAFFIC_TIMEOUT="1").finish()
    failed.assert_failed(
        5,
        "Migration b2 Foreign b2 is blocked by backend … (report, …), in a statement that may "
        "have committed a part of itself. It is not retried: see what it has done. The next "
        "start says how to go on.",
    )
    failed.assert_says("Migration b2 Foreign b2 keeps what it committed: CALL fill(). …")
    assert sorted(str(name) for name, _ in scene.steps()) == ["row", "row", "row!"]
    scene.start().finish().assert_failed(5, IN_DOUBT)


@pytest.mark.parametrize("body", [ALONE["in an autocommit block"], ALONE["in a DO"]])
def test_what_is_undone_is_not_in_doubt(cluster: Cluster, make_scene: MakeScene, body: str) -> None:
    """Where the budget is used up nothing has been done, and the next start does it."""
    scene = make(make_scene, cluster, body)
    with blocking(cluster, scene.database):
        failed = scene.start(MIGRATE_TRAFFIC_TIMEOUT="1").finish()
    failed.assert_failed(5, "Migration b2 Foreign b2 is blocked by backend … (report, …); …")
    failed.assert_never_says("…keeps what it committed…")
    scene.start().finish().assert_ok()
    scene.assert_complete()
