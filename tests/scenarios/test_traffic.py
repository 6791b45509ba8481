"""A migration on tables that are in use: those who use them hardly notice, and it gets there."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from signal import SIGTERM

import pytest
from psycopg2.extensions import connection as Connection

from tests.cluster import Cluster
from tests.scenarios.live_traffic import blocking, traffic
from tests.scenarios.process import DEADLINE, FOREIGN_ENV
from tests.scenarios.scene import MAKE_TABLE, SOON, WAIT, MakeScene, Scene, gate_of, step
from tests.scenarios.test_foreign_env import ASYNC_ENV, ONE_TRANSACTION_ENV
from tests.scenarios.test_leaving import HAND_ENV, by_hand

pytestmark = pytest.mark.slow

ALTER = f'op.execute("ALTER TABLE pace ADD COLUMN more int")\n{MAKE_TABLE}'

HELD_OFF = "Migration b2 Foreign b2 is blocked by {}; retrying for up to 120 s"


def at_first(make_scene: MakeScene, cluster: Cluster, body: str, env: str = FOREIGN_ENV) -> Scene:
    """Return a scene whose first revision has been applied, so that its tables are there."""
    scene = make_scene(cluster, body, env)
    scene.start(MIGRATION_TARGET="a1").finish().assert_ok()
    return scene


def wait_until_waited_for(scene: Scene, connection: Connection) -> None:
    """Return as soon as somebody waits for this session."""
    pid = connection.info.backend_pid
    scene.wait_until(
        "SELECT EXISTS (SELECT FROM pg_locks"
        f" WHERE NOT granted AND {pid} = ANY (pg_blocking_pids(pid)))"
    )


@pytest.mark.parametrize("blockers", [1, 3], ids=["one", "three in turn"])
def test_readers_hardly_notice(any_cluster: Cluster, make_scene: MakeScene, blockers: int) -> None:
    """Behind a long transaction nobody else waits for long; soon after its end it is done."""
    scene = at_first(make_scene, any_cluster, ALTER)
    with (
        traffic(any_cluster, scene.database) as found,
        blocking(any_cluster, scene.database) as first,
    ):
        starter = scene.start()
        said = starter.wait_for(HELD_OFF.format("backend …"))
        who = f"backend {first.info.backend_pid} (report, idle in transaction, query since "
        assert who in said
        current = first
        with ExitStack() as stack:
            for number in range(1, blockers):
                following = stack.enter_context(
                    blocking(any_cluster, scene.database, name=f"report {number}")
                )
                current.cursor().execute("ROLLBACK")
                current = following
                starter.wait_for(HELD_OFF.format(f"backend … (report {number}, …)"))
            threading.Event().wait(2)
            left_at = time.monotonic()
            current.cursor().execute("ROLLBACK")
            finished = starter.finish(SOON)
            took = time.monotonic() - left_at
    finished.assert_ok()
    finished.assert_says("Migration b2 Foreign b2 got through after … s")
    scene.assert_complete()
    assert found.failures == []
    assert found.longest < 1, found.longest
    assert took < 3, took
    assert scene.journal(first=starter)[1:] == ["b2 applied first", "c3 applied first"]


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


def test_the_budget_is_over(cluster: Cluster, make_scene: MakeScene) -> None:
    """It says who was in the way; nothing is lost, and nobody was ended."""
    scene = at_first(make_scene, cluster, f"{step('b2')}\n{ALTER}")
    with blocking(cluster, scene.database) as other:
        starter = scene.start(MIGRATE_TRAFFIC_TIMEOUT="1")
        starter.finish(SOON).assert_failed(
            5,
            f"Migration b2 Foreign b2 is blocked by backend {other.info.backend_pid} (report, "
            "idle in transaction, query since …); live traffic has blocked migrations for more "
            "than 1 s. See what it is doing, or set MIGRATE_TRAFFIC_TIMEOUT higher. What the "
            "revision had changed was rolled back.",
        )
        other.cursor().execute("SELECT FROM pace")
    scene.assert_at_first()
    assert scene.journal(first=starter)[1:] == ["b2 failed first"]
    scene.start().finish().assert_ok()
    scene.assert_complete()


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
    finished.assert_says("Migration b2 Foreign b2 was overtaken by …; retrying …")
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
    finished.assert_says("Migration b2 Foreign b2 was overtaken by …; retrying …")
    finished.assert_says("Migration b2 Foreign b2 got through after …")
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
    finished.assert_says("Migration b2 Foreign b2 was overtaken by …; retrying …")
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
        other.cursor().execute("ROLLBACK")
        starter.finish(SOON).assert_ok()
    scene.assert_complete()
    assert len(scene.steps()) == 1
    assert scene.query("SELECT count(more) FROM pace") == [(0,)]
    assert found.longest < 1, found.longest


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


def test_a_function_that_alters_a_table(cluster: Cluster, make_scene: MakeScene) -> None:
    """It asks as briefly as the statement itself would."""
    body = f'op.execute("SELECT add_column()")\n{MAKE_TABLE}'
    scene = at_first(make_scene, cluster, body)
    with (
        traffic(cluster, scene.database) as found,
        blocking(cluster, scene.database) as other,
    ):
        cluster.execute(
            "CREATE FUNCTION add_column() RETURNS void LANGUAGE plpgsql AS"
            " $$ BEGIN ALTER TABLE pace ADD COLUMN more int; END $$",
            scene.database,
        )
        starter = scene.start()
        starter.wait_for(HELD_OFF.format("backend … (report, …)"))
        threading.Event().wait(3)
        other.cursor().execute("ROLLBACK")
        starter.finish(SOON).assert_ok()
    scene.assert_complete()
    assert found.longest < 1, found.longest


def test_a_crowd_behind_it(cluster: Cluster, make_scene: MakeScene) -> None:
    """Where many wait behind it, it does not wait as long as it might."""
    scene = at_first(make_scene, cluster, ALTER)
    with (
        traffic(cluster, scene.database, sessions=30) as found,
        blocking(cluster, scene.database) as other,
    ):
        starter = scene.start()
        starter.wait_for("… with too many sessions waiting behind it; retrying …")
        other.cursor().execute("ROLLBACK")
        starter.finish(SOON).assert_ok()
    scene.assert_complete()
    assert found.failures == []


def test_a_limit_of_its_own(cluster: Cluster, make_scene: MakeScene) -> None:
    """A revision that says how long to wait for a lock waits that long, whoever is behind it."""
    body = f'op.execute("SET LOCAL lock_timeout = 0")\n{ALTER}'
    scene = at_first(make_scene, cluster, body)
    with traffic(cluster, scene.database), blocking(cluster, scene.database) as other:
        starter = scene.start()
        wait_until_waited_for(scene, other)
        starter.wait_for("Migration b2 Foreign b2 blocks … sessions (…)")
        other.cursor().execute("ROLLBACK")
        finished = starter.finish(SOON)
    finished.assert_ok()
    finished.assert_never_says("…retrying…")
    scene.assert_complete()


def test_a_short_limit_of_its_own(cluster: Cluster, make_scene: MakeScene) -> None:
    """Where it is over, the revision is run again like any other."""
    body = f'op.execute("SET LOCAL lock_timeout = 50")\n{ALTER}'
    scene = at_first(make_scene, cluster, body)
    with blocking(cluster, scene.database) as other:
        starter = scene.start()
        starter.wait_for(HELD_OFF.format("…"))
        other.cursor().execute("ROLLBACK")
        starter.finish(SOON).assert_ok()
    scene.assert_complete()


def test_rows_that_somebody_has(cluster: Cluster, make_scene: MakeScene) -> None:
    """They are waited for: nobody queues behind that, and long work would have to be done again."""
    body = f'{step("b2")}\nop.execute("UPDATE pace SET seconds = 7")\n{MAKE_TABLE}'
    scene = at_first(make_scene, cluster, body)
    with blocking(cluster, scene.database, "UPDATE pace SET seconds = 8") as other:
        starter = scene.start()
        wait_until_waited_for(scene, other)
        threading.Event().wait(1)
        other.cursor().execute("COMMIT")
        finished = starter.finish(SOON)
    finished.assert_ok()
    finished.assert_never_says("…retrying…")
    scene.assert_complete()
    assert scene.query("SELECT seconds FROM pace") == [(7,)]


def test_rows_that_somebody_has_while_others_wait(cluster: Cluster, make_scene: MakeScene) -> None:
    """Where a table is locked meanwhile, nobody waits for it longer than for any other lock."""
    body = f"{ALTER}\nop.execute(\"UPDATE steps SET name = 'b2'\")"
    scene = at_first(make_scene, cluster, body)
    cluster.execute("INSERT INTO steps (name) VALUES ('a1')", scene.database)
    with (
        traffic(cluster, scene.database, sessions=1) as found,
        blocking(cluster, scene.database, "UPDATE steps SET name = 'a2'") as other,
    ):
        starter = scene.start()
        starter.wait_for(HELD_OFF.format("backend … (report, …)"))
        threading.Event().wait(3)
        other.cursor().execute("ROLLBACK")
        starter.finish(SOON).assert_ok()
    scene.assert_complete()
    assert found.longest < 1, found.longest


def test_the_budget_of_waits_that_succeed(cluster: Cluster, make_scene: MakeScene) -> None:
    """They count as well: it is that of all waits together."""
    body = """
    op.execute("UPDATE pace SET seconds = 7")
    op.execute("UPDATE steps SET name = 'b2'")
    """
    scene = at_first(make_scene, cluster, body)
    cluster.execute("INSERT INTO steps (name) VALUES ('a1')", scene.database)
    with (
        blocking(cluster, scene.database, "UPDATE pace SET seconds = 8") as first,
        blocking(cluster, scene.database, "UPDATE steps SET name = 'a2'", name="second"),
    ):
        starter = scene.start(MIGRATE_TRAFFIC_TIMEOUT="5")
        wait_until_waited_for(scene, first)
        threading.Event().wait(4)
        first.cursor().execute("COMMIT")
        left_at = time.monotonic()
        starter.finish(SOON).assert_failed(
            5,
            "Migration b2 Foreign b2 is blocked by backend … (second, …); live traffic has "
            "blocked migrations for more than 5 s. …",
        )
        took = time.monotonic() - left_at
    assert took < 4, took
    assert scene.query("SELECT seconds FROM pace") == [(8,)]


def test_work_under_a_lock(cluster: Cluster, make_scene: MakeScene) -> None:
    """It is not ended, because it would have to be done again; who reads the log knows of it."""
    scene = at_first(make_scene, cluster, f'{ALTER}\nop.execute("SELECT pg_sleep(2)")')
    with traffic(cluster, scene.database):
        finished = scene.start().finish(SOON)
    finished.assert_ok()
    finished.assert_says("Migration b2 Foreign b2 blocks … sessions (… s of waiting in total)")
    scene.assert_complete()


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


@pytest.mark.parametrize(("default", "limit"), [("0", "100ms"), ("50ms", "50ms"), ("1h", "100ms")])
def test_a_limit_of_the_database(
    cluster: Cluster, make_scene: MakeScene, default: str, limit: str
) -> None:
    """The shorter one holds."""
    body = f"""
    {MAKE_TABLE}
    op.execute("ALTER TABLE pace ADD COLUMN limited text DEFAULT current_setting('lock_timeout')")
    """
    scene = at_first(make_scene, cluster, body)
    cluster.execute(f"ALTER DATABASE {scene.database} SET lock_timeout = '{default}'")
    scene.start().finish().assert_ok()
    scene.assert_complete()
    assert scene.query("SELECT limited FROM pace") == [(limit,)]


def test_behind_pgbouncer(
    debian_cluster: Cluster, pgbouncer: Callable[[str], str], make_scene: MakeScene
) -> None:
    """The session that waits is found there as well, and who is in its way is named."""
    scene = make_scene(debian_cluster, ALTER)
    url = pgbouncer(scene.database)
    scene.start(url=url, MIGRATION_TARGET="a1").finish().assert_ok()
    with (
        traffic(debian_cluster, scene.database, sessions=20) as found,
        blocking(debian_cluster, scene.database) as other,
    ):
        starter = scene.start(url=url)
        starter.wait_for(
            HELD_OFF.format("backend … (report, …), with too many sessions waiting behind it")
        )
        other.cursor().execute("ROLLBACK")
        starter.finish(SOON).assert_ok()
    scene.assert_complete()
    assert found.failures == []


def test_by_hand(cluster: Cluster, make_scene: MakeScene) -> None:
    """`alembic upgrade` yields as `inv migrate` does."""
    scene = at_first(make_scene, cluster, ALTER, HAND_ENV)
    with blocking(cluster, scene.database) as other, ThreadPoolExecutor(1) as pool:
        upgrading = pool.submit(by_hand, scene, "upgrade", "head")
        for _ in range(3):  # tries
            wait_until_waited_for(scene, other)
            scene.wait_until("SELECT NOT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        other.cursor().execute("ROLLBACK")
        upgraded = upgrading.result(SOON)
    assert upgraded.returncode == 0, upgraded.stderr
    assert "is blocked by backend" in upgraded.stderr
    scene.assert_complete()


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


def test_no_limit_after_an_autocommit_block(cluster: Cluster, make_scene: MakeScene) -> None:
    """What is not run again waits for as long as it takes, whoever is behind it."""
    body = f"with op.get_context().autocommit_block():\n    {step('b2')}\n{ALTER}"
    scene = at_first(make_scene, cluster, body)
    with traffic(cluster, scene.database, sessions=20), blocking(cluster, scene.database) as other:
        starter = scene.start()
        wait_until_waited_for(scene, other)
        threading.Event().wait(1)
        other.cursor().execute("ROLLBACK")
        starter.finish(SOON).assert_ok()
    scene.assert_complete()


def test_one_unit(cluster: Cluster, make_scene: MakeScene) -> None:
    """Where env.py has one transaction for all, that is said, and waits as long as it takes."""
    scene = at_first(make_scene, cluster, ALTER, ONE_TRANSACTION_ENV)
    with blocking(cluster, scene.database) as other:
        starter = scene.start()
        wait_until_waited_for(scene, other)
        threading.Event().wait(1)
        other.cursor().execute("ROLLBACK")
        finished = starter.finish(SOON)
    finished.assert_ok()
    finished.assert_says("What the revisions lock stays locked until the last one is done, …")
    scene.assert_complete()


def test_the_version_table_is_asked_for_first(cluster: Cluster, make_scene: MakeScene) -> None:
    """Nothing is locked while somebody has the version table."""
    scene = at_first(make_scene, cluster, ALTER)
    with traffic(cluster, scene.database) as found:
        with blocking(
            scene.cluster, scene.database, "LOCK TABLE alembic_version IN SHARE MODE"
        ) as other:
            starter = scene.start()
            starter.wait_for(HELD_OFF.format("backend …"))
            other.cursor().execute("ROLLBACK")
        starter.finish(SOON).assert_ok()
    scene.assert_complete()
    assert found.longest < 1, found.longest


def test_a_stop_in_a_pause(cluster: Cluster, make_scene: MakeScene) -> None:
    """It is heard at once, and nothing is left behind."""
    scene = at_first(make_scene, cluster, ALTER)
    with blocking(cluster, scene.database):
        starter = scene.start()
        starter.wait_for(HELD_OFF.format("…"))
        starter.signal(SIGTERM)
        starter.finish(SOON).assert_failed(143, "Stopped by SIGTERM.")
    scene.assert_at_first()
    assert scene.errors() == ["Stopped by SIGTERM."]
