"""A migration on tables that are in use: others hardly notice, and it gets there."""

import threading

import pytest

from alembic_boot.running.budget import Budget
from tests.boot.in_process import MakeScene, Run
from tests.cluster import Cluster
from tests.scenarios.envs import (
    ONE_TRANSACTION_ENV,
)
from tests.scenarios.live_traffic import (
    ALTER,
    HELD_OFF,
    assert_readers_hardly_notice,
    blocking,
    traffic,
    wait_until_waited_for,
)
from tests.scenarios.process import (
    FOREIGN_ENV,
)
from tests.scenarios.scene import MAKE_TABLE, SOON, Scene, step
from tests.waiting import LONG

pytestmark = pytest.mark.slow


def at_first(
    make_scene: MakeScene, cluster: Cluster, body: str, env: str = FOREIGN_ENV
) -> Scene[Run]:
    """Return a scene whose first revision has been applied, so that its tables are there."""
    return make_scene(cluster, body, env, begun=True)


@pytest.mark.parametrize("blockers", [1, 3], ids=["one", "three in turn"])
def test_readers_hardly_notice(cluster: Cluster, make_scene: MakeScene, blockers: int) -> None:
    """Behind a long transaction nobody else waits for long; soon after its end it is done."""
    scene = at_first(make_scene, cluster, ALTER)
    assert_readers_hardly_notice(scene, cluster, blockers)


def test_the_budget_is_over(cluster: Cluster, make_scene: MakeScene) -> None:
    """It says who was in the way; nothing is lost, and nobody was ended."""
    scene = at_first(make_scene, cluster, f"{step('b2')}\n{ALTER}")
    with blocking(cluster, scene.database) as other:
        starter = scene.start(MIGRATE_TRAFFIC_TIMEOUT="1")
        starter.finish(SOON).assert_failed(
            5,
            f"Migration b2 Foreign b2 is blocked by backend {other.info.backend_pid} (report, "
            "idle in transaction, query since …); live traffic has blocked migrations for more "
            "than 1 s. See what it is doing, or set MIGRATE_TRAFFIC_TIMEOUT higher. The "
            "revision was rolled back.",
        )
        other.cursor().execute("SELECT FROM pace")
    scene.assert_at_first()
    assert scene.journal(first=starter)[1:] == ["b2 failed first"]
    scene.start().finish().assert_ok()
    scene.assert_complete()


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
        found.wait_for_more()
        other.cursor().execute("ROLLBACK")
        starter.finish(SOON).assert_ok()
    scene.assert_complete()


def test_a_crowd_behind_it(cluster: Cluster, make_scene: MakeScene) -> None:
    """Where many wait behind it, it does not wait as long as it might."""
    scene = at_first(make_scene, cluster, ALTER)
    with (
        traffic(cluster, scene.database, sessions=30) as found,
        blocking(cluster, scene.database) as other,
    ):
        starter = scene.start()
        starter.wait_for(HELD_OFF.format("backend … (report, …)"))
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
        found.wait_for_more()
        other.cursor().execute("ROLLBACK")
        starter.finish(SOON).assert_ok()
    scene.assert_complete()


def test_the_budget_of_waits_that_succeed(
    cluster: Cluster, make_scene: MakeScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They count as well: it is that of all waits together."""
    budgets = []
    make = Budget.__init__

    def made(budget: Budget, seconds: float) -> None:
        make(budget, seconds)
        budgets.append(budget)

    monkeypatch.setattr(Budget, "__init__", made)
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
        starter = scene.start(MIGRATE_TRAFFIC_TIMEOUT=f"{LONG:g}")
        wait_until_waited_for(scene, first)
        [budget] = budgets
        budget.waited(LONG - 3)  # as if the wait had lasted for so long
        first.cursor().execute("COMMIT")
        starter.finish(SOON).assert_failed(
            5,
            "Migration b2 Foreign b2 is blocked by backend … (second, …); live traffic has "
            f"blocked migrations for more than {LONG:g} s. …",
        )
    assert scene.query("SELECT seconds FROM pace") == [(8,)]


def test_work_under_a_lock(cluster: Cluster, make_scene: MakeScene) -> None:
    """It is not ended, because it would have to be done again; who reads the log knows of it."""
    scene = at_first(make_scene, cluster, f'{ALTER}\nop.execute("SELECT pg_sleep(2)")')
    with traffic(cluster, scene.database):
        finished = scene.start().finish(SOON)
    finished.assert_ok()
    finished.assert_says("Migration b2 Foreign b2 blocks … sessions (… s of waiting in total)")
    scene.assert_complete()


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
    finished.assert_says("The revisions keep their locks until the last one is done, …")
    scene.assert_complete()


def test_the_version_table_is_asked_for_first(cluster: Cluster, make_scene: MakeScene) -> None:
    """Nothing is locked while somebody has the version table."""
    scene = at_first(make_scene, cluster, ALTER)
    with blocking(
        scene.cluster, scene.database, "LOCK TABLE alembic_version IN SHARE MODE"
    ) as other:
        starter = scene.start()
        scene.wait_until(
            "SELECT array_agg(DISTINCT relname::text) = '{alembic_version}'"
            " FROM pg_locks JOIN pg_class ON pg_class.oid = relation"
            " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pid IN ("
            f"SELECT pid FROM pg_locks WHERE {other.info.backend_pid} = ANY(pg_blocking_pids(pid)))"
        )
        starter.wait_for(HELD_OFF.format("backend …"))
        other.cursor().execute("ROLLBACK")
        starter.finish(SOON).assert_ok()
    scene.assert_complete()
