"""Starters killed where no transaction is around, or behind a pooler.

What needs no kill is in tests/boot/running/test_committing_revisions.py.
"""

from collections.abc import Callable
from contextlib import closing
from signal import SIGKILL

import psycopg2
import pytest

from tests.cluster import Cluster
from tests.proxy import Proxy
from tests.scenarios.envs import (
    AUTOCOMMIT_ENV,
)
from tests.scenarios.process import (
    FOREIGN_ENV,
    matches,
    revisions,
)
from tests.scenarios.scene import (
    IN_DOUBT,
    MAKE_TABLE,
    SOON,
    WAITING,
    Hold,
    MakeScene,
    follow_advice,
    gate_of,
    step,
)

pytestmark = pytest.mark.slow


COMMITTING = f"""
op.execute("CREATE TABLE IF NOT EXISTS t_b2 (id int PRIMARY KEY)")
op.execute("COMMIT")
op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS by_name ON steps (name)")
{step("b2")}
"""
"""As histories did before Alembic had autocommit blocks."""


BODIES = {
    "a revision that commits": (COMMITTING, FOREIGN_ENV),
    "an engine in autocommit": (
        COMMITTING.replace('op.execute("COMMIT")\n', ""),
        AUTOCOMMIT_ENV,
    ),
}


@pytest.mark.parametrize(("body", "env"), BODIES.values(), ids=BODIES.keys())
def test_killed_outside_of_a_transaction(
    cluster: Cluster, make_scene: MakeScene, body: str, env: str
) -> None:
    """The version has not moved where the journal does not say so; what is there is named."""
    scene = make_scene(cluster, body, env)
    hold = Hold("…SET version_num = E'b2'…")
    with Proxy(cluster.port, on_query=hold) as proxy:
        first = scene.start(proxy.port)
        hold.wait_for(first)
        first.signal(SIGKILL)
        hold.release()
        assert first.finish().status == -SIGKILL
        second = scene.start()
        second.finish(SOON).assert_failed(5, IN_DOUBT)
    rows = ["a1 applied first", "b2 failed first"]
    assert scene.journal(first=first, second=second) == rows
    follow_advice(scene)
    third = scene.start()
    third.finish(SOON).assert_ok()
    scene.assert_complete()
    assert scene.steps() == [("b2", scene.backend_of(third))]


def test_killed_behind_pgbouncer(
    debian_cluster: Cluster, pgbouncer: Callable[[str], str], make_scene: MakeScene
) -> None:
    """Its transaction is ended, and what the pool lends to others is not."""
    scene = make_scene(debian_cluster, WAITING)
    with gate_of(scene) as gate:
        first = scene.start(url=pgbouncer(scene.database))
        backend = gate.wait_for(first, is_pooled=True)
        first.signal(SIGKILL)
        with closing(psycopg2.connect(pgbouncer(scene.database))) as other:
            cursor = other.cursor()
            cursor.execute("SELECT pg_backend_pid()")
            second = scene.start(url=pgbouncer(scene.database))
            scene.wait_for_end(backend)
            gate.open()
            finished = second.finish()
            cursor.execute("SELECT pg_backend_pid()")
            other.commit()
    finished.assert_ok()
    scene.assert_complete()
    assert scene.journal(first=first, second=second)[1] == "b2 failed first"


def test_a_stopped_one_behind_pgbouncer_does_not_end_others(
    debian_cluster: Cluster, pgbouncer: Callable[[str], str], make_scene: MakeScene
) -> None:
    """The session in a dead one's row is somebody else's by now: nobody ends it."""
    scene = make_scene(debian_cluster, f"{MAKE_TABLE}\n{step('b2')}")
    url = pgbouncer(scene.database)
    hold = Hold("…INSERT INTO …schema_journal…'b2'…")
    with Proxy(int(url.rpartition(":")[2].partition("/")[0]), on_query=hold) as proxy:
        first = scene.start(proxy.port)
        hold.wait_for(first)
        first.signal(SIGKILL)
        hold.release()
        scene.wait_until(
            "SELECT count(*) = 1 FROM schema_journal WHERE revision = 'b2' AND status = 'running'"
        )
    with closing(psycopg2.connect(url)) as other:
        cursor = other.cursor()
        cursor.execute("SELECT pg_backend_pid()")
        [borrowed] = cursor.fetchone() or [0]
        scene.query(
            f"UPDATE schema_journal SET backend_pid = {borrowed}, backend_start = ("
            f"SELECT backend_start FROM pg_stat_activity WHERE pid = {borrowed})"
            " WHERE status = 'running' RETURNING id"
        )
        finished = scene.start().finish(SOON)
        cursor.execute("SELECT pg_backend_pid()")
        assert cursor.fetchone() == (borrowed,)
    finished.assert_ok()
    finished.assert_never_says("Ended the session …")
    assert any(matches(line, "A starter died during a migration (…") for line in finished.messages)
    assert revisions(debian_cluster, scene.database) == ["c3"]
