"""What is blocked or overtaken is run again as a whole, and is done once in the end."""

import threading
from contextlib import closing

import pytest

from tests.boot.in_process import MakeScene, Run
from tests.cluster import Cluster
from tests.scenarios.envs import (
    ASYNC_ENV,
)
from tests.scenarios.live_traffic import blocking, traffic
from tests.scenarios.process import (
    DEADLINE,
    FOREIGN_ENV,
)
from tests.scenarios.scene import MAKE_TABLE, SOON, WAIT, Scene, gate_of, step

pytestmark = pytest.mark.slow


ALTER = f'op.execute("ALTER TABLE pace ADD COLUMN more int")\n{MAKE_TABLE}'


HELD_OFF = "Migration b2 Foreign b2 is blocked by {}; retrying for up to 120 s"


def at_first(
    make_scene: MakeScene, cluster: Cluster, body: str, env: str = FOREIGN_ENV
) -> Scene[Run]:
    """Return a scene whose first revision has been applied, so that its tables are there."""
    return make_scene(cluster, body, env, begun=True)


ENVS = {
    "psycopg2": FOREIGN_ENV,
    **{driver: ASYNC_ENV.replace("DRIVER", driver) for driver in ("psycopg", "asyncpg")},
    "not transactional": FOREIGN_ENV.replace(
        "target_metadata=None", "target_metadata=None, transactional_ddl=False"
    ),
}


@pytest.mark.parametrize("env", ENVS.values(), ids=ENVS.keys())
def test_run_again_as_a_whole(cluster: Cluster, make_scene: MakeScene, env: str) -> None:
    """What it did before it was held off is taken back, and done once in the end."""
    body = f"{step('before')}\n{ALTER}\n{step('after')}"
    scene = at_first(make_scene, cluster, body, env)
    with blocking(cluster, scene.database) as other:
        starter = scene.start()
        starter.wait_for(HELD_OFF.format("…"))
        other.cursor().execute("ROLLBACK")
        starter.finish(SOON).assert_ok()
    scene.assert_complete()
    assert [name for name, _ in scene.steps()] == ["before", "after"]


def test_a_deadlock(cluster: Cluster, make_scene: MakeScene) -> None:
    """Who is its victim is run again as a whole."""
    lock = 'op.execute("LOCK TABLE {}")'
    scene = at_first(
        make_scene,
        cluster,
        f"{lock.format('pace')}\n{WAIT}\n{lock.format('steps')}\n{step('b2')}\n{MAKE_TABLE}",
    )
    with gate_of(scene) as gate, closing(cluster.connect(scene.database)) as other:
        # Or it might be the victim.
        other.cursor().execute("SET deadlock_timeout = '10min'; BEGIN")
        other.cursor().execute("LOCK TABLE steps")
        starter = scene.start()
        gate.wait_for(starter)
        asking = threading.Thread(target=other.cursor().execute, args=("SELECT FROM pace",))
        asking.start()
        scene.wait_until(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted"
            f" AND pid = {other.info.backend_pid})"
        )
        gate.open()
        asking.join(DEADLINE)
        other.cursor().execute("ROLLBACK")
        finished = starter.finish(SOON)
    finished.assert_ok()
    finished.assert_says("Migration b2 Foreign b2 was the victim of a deadlock with backend …")
    scene.assert_complete()
    assert len(scene.steps()) == 1


def test_a_serialization_failure(cluster: Cluster, make_scene: MakeScene) -> None:
    """It is run again with a snapshot that has what overtook it."""
    env = FOREIGN_ENV.replace(
        "    poolclass=", '    isolation_level="REPEATABLE READ",\n    poolclass='
    )
    body = f'{WAIT}\nop.execute("UPDATE pace SET seconds = seconds + 1")\n{MAKE_TABLE}'
    scene = at_first(make_scene, cluster, body, env)
    with gate_of(scene) as gate:
        starter = scene.start()
        gate.wait_for(starter)
        cluster.execute("UPDATE pace SET seconds = 400", scene.database)
        gate.open()
        finished = starter.finish(SOON)
    finished.assert_ok()
    finished.assert_says("Migration b2 Foreign b2 conflicts with …; retrying …")
    scene.assert_complete()
    assert scene.query("SELECT seconds FROM pace") == [(401,)]


RAISING = """
CREATE SEQUENCE tries;
CREATE FUNCTION overtaken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF nextval('tries') = 1 THEN
        RAISE 'could not serialize access' USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN NULL;
END $$;
GRANT USAGE ON tries TO PUBLIC;
CREATE CONSTRAINT TRIGGER overtaken AFTER UPDATE ON alembic_version {when}
    FOR EACH ROW EXECUTE FUNCTION overtaken();
"""


@pytest.mark.parametrize(
    "when", ["", "DEFERRABLE INITIALLY DEFERRED"], ids=["at the version row", "at COMMIT"]
)
@pytest.mark.parametrize("env", [FOREIGN_ENV, ENVS["asyncpg"]], ids=["psycopg2", "asyncpg"])
def test_a_serialization_failure_in_the_end(
    cluster: Cluster, make_scene: MakeScene, env: str, when: str
) -> None:
    """What the revision did is taken back and done again, where it has run to its own end, too."""
    scene = at_first(make_scene, cluster, f"{step('b2')}\n{MAKE_TABLE}", env)
    cluster.execute(RAISING.format(when=when), scene.database)
    finished = scene.start().finish(SOON)
    finished.assert_ok()
    finished.assert_says("Migration b2 Foreign b2 conflicts with …; retrying …")
    finished.assert_says("Migration b2 Foreign b2 succeeded after …")
    scene.assert_complete()
    assert len(scene.steps()) == 1
    assert [row.split()[1] for row in scene.journal()] == ["applied"] * 3


def test_a_revision_that_depended_on_what_was_changed(
    cluster: Cluster, make_scene: MakeScene
) -> None:
    """A transaction that is serializable may be told so at its very end."""
    env = FOREIGN_ENV.replace(
        "    poolclass=", '    isolation_level="SERIALIZABLE",\n    poolclass='
    )
    update = 'op.execute("UPDATE pace SET seconds = (SELECT count(*) FROM steps)")'
    body = f"{update}\n{MAKE_TABLE}\n{WAIT}"
    scene = at_first(make_scene, cluster, body, env)
    with gate_of(scene) as gate, closing(cluster.connect(scene.database)) as other:
        starter = scene.start()
        gate.wait_for(starter)
        cursor = other.cursor()
        cursor.execute("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT seconds FROM pace")
        cursor.execute("INSERT INTO steps (name) VALUES ('meanwhile'); COMMIT")
        gate.open()
        finished = starter.finish(SOON)
    finished.assert_ok()
    finished.assert_says("Migration b2 Foreign b2 conflicts with …; retrying …")
    scene.assert_complete()
    assert scene.query("SELECT seconds FROM pace") == [(1,)]


CATCHING = {
    "in SQL": """
op.execute('''DO $$ BEGIN
    ALTER TABLE pace ADD COLUMN more int;
EXCEPTION WHEN OTHERS THEN NULL; END $$''')
""",
    "in SQL, after something else": """
op.execute('''SET LOCAL work_mem = '1MB'; DO $$ BEGIN
    ALTER TABLE pace ADD COLUMN more int;
EXCEPTION WHEN OTHERS THEN NULL; END $$''')
""",
    "in SQL, by its name": """
op.execute('''DO $$ BEGIN
    ALTER TABLE pace ADD COLUMN more int;
EXCEPTION WHEN query_canceled OR lock_not_available THEN NULL; END $$''')
""",
    "in Python": """
try:
    with op.get_bind().begin_nested():
        op.execute("ALTER TABLE pace ADD COLUMN more int")
except sa.exc.DBAPIError:
    pass
""",
    "in Python, before it commits": """
try:
    with op.get_bind().begin_nested():
        op.execute("ALTER TABLE pace ADD COLUMN more int")
except sa.exc.DBAPIError:
    pass
with op.get_context().autocommit_block():
    op.execute("SELECT 1")
""",
    "in Python, before it says COMMIT": """
try:
    with op.get_bind().begin_nested():
        op.execute("ALTER TABLE pace ADD COLUMN more int")
except sa.exc.DBAPIError:
    pass
op.execute("COMMIT")
op.execute("BEGIN")
""",
}


@pytest.mark.parametrize("body", CATCHING.values(), ids=CATCHING.keys())
def test_a_revision_that_goes_on_without_its_lock(
    cluster: Cluster, make_scene: MakeScene, body: str
) -> None:
    """What it left out because we did not let it wait is not recorded as done."""
    scene = at_first(make_scene, cluster, f"{step('b2')}\n{body}\n{MAKE_TABLE}")
    with (
        traffic(cluster, scene.database) as found,
        blocking(cluster, scene.database) as other,
    ):
        starter = scene.start()
        starter.wait_for(HELD_OFF.format("backend …"))
        found.wait_for_more()
        other.cursor().execute("ROLLBACK")
        starter.finish(SOON).assert_ok()
    scene.assert_complete()
    assert len(scene.steps()) == 1
    assert scene.query("SELECT count(more) FROM pace") == [(0,)]


def test_a_revision_that_asks_with_nowait(cluster: Cluster, make_scene: MakeScene) -> None:
    """What it catches that is not our doing is its own affair."""
    body = f"""
    try:
        with op.get_bind().begin_nested():
            op.execute("LOCK TABLE pace NOWAIT")
    except sa.exc.DBAPIError:
        {step("refused")}
    {MAKE_TABLE}
    """
    scene = at_first(make_scene, cluster, body)
    with blocking(cluster, scene.database):
        finished = scene.start().finish(SOON)
    finished.assert_ok()
    finished.assert_never_says("…retrying…")
    scene.assert_complete()
    assert [name for name, _ in scene.steps()] == ["refused"]


SAVEPOINTS = """
bind = op.get_bind()
for name in ("one", "two"):
    try:
        with bind.begin_nested():
            op.execute("INSERT INTO steps (name) VALUES ('kept')")
            op.execute("ALTER TABLE pace ADD COLUMN more int")
            op.execute("INSERT INTO steps (id) OVERRIDING SYSTEM VALUE VALUES (1 / 0)")
    except sa.exc.DataError:
        pass
"""


def test_savepoints(cluster: Cluster, make_scene: MakeScene) -> None:
    """A revision may have errors of its own, and take back what led to them."""
    scene = at_first(make_scene, cluster, f"{SAVEPOINTS}\n{step('b2')}\n{ALTER}")
    with blocking(cluster, scene.database) as other:
        starter = scene.start()
        starter.wait_for(HELD_OFF.format("…"))
        other.cursor().execute("ROLLBACK")
        starter.finish(SOON).assert_ok()
    scene.assert_complete()
    assert [name for name, _ in scene.steps()] == ["b2"]


LEFT = {
    "by SQL": (
        'op.execute("COMMIT")\nop.execute("BEGIN")\n'
        f'op.execute("SET LOCAL lock_timeout = 99")\n{ALTER}'
    ),
    "by an autocommit block": (
        "with op.get_context().autocommit_block():\n"
        f"    {step('b2')}\n"
        f'op.execute("SET LOCAL lock_timeout = 99")\n{ALTER}'
    ),
}


@pytest.mark.parametrize("body", LEFT.values(), ids=LEFT.keys())
def test_what_cannot_be_taken_back(cluster: Cluster, make_scene: MakeScene, body: str) -> None:
    """A revision that has committed something is not run again."""
    scene = at_first(make_scene, cluster, body)
    with blocking(cluster, scene.database):
        failed = scene.start().finish()
    failed.assert_failed(5, "Migration b2 … Somebody else had a table locked: start again.")
    failed.assert_never_says("…retrying…")
