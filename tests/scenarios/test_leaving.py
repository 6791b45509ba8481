"""Revisions that leave their connection or their transaction, stopped or run by hand.

The rest needs no process: tests/boot/running/test_own_transactions.py.
"""

from signal import SIGTERM

import pytest

from tests.cluster import Cluster
from tests.scenarios.by_hand import by_hand
from tests.scenarios.envs import (
    HAND_ENV,
)
from tests.scenarios.process import (
    relations,
    revisions,
)
from tests.scenarios.scene import MAKE_TABLE, SOON, MakeScene, Scene
from tests.scenarios.starters import Starter

pytestmark = pytest.mark.slow


BREAKING = 'op.execute("CREATE TABLE t_c3 (id int)")\nop.execute("SELECT 1 / 0")'


def break_last(scene: Scene[Starter], *, whole: bool = False) -> None:
    """Let the third revision fail after it has done something; with `whole`, fix it again."""
    (path,) = scene.foreign.versions.glob("c3*.py")
    path.unlink()
    scene.foreign.revision("c3", "b2", None if whole else BREAKING)


ELSEWHERE = {
    "a second connection": (
        "with op.get_bind().engine.connect() as second:\n"
        '    second.execute(sa.text("SELECT 42 AS waits_here, pg_sleep(300)"))'
    ),
    "a new one": (
        "bind = op.get_bind()\nbind.invalidate()\nbind.rollback()\n"
        'bind.execute(sa.text("SELECT 42 AS waits_here, pg_sleep(300)"))'
    ),
}


@pytest.mark.parametrize("body", ELSEWHERE.values(), ids=ELSEWHERE.keys())
def test_a_stop_is_heard_on_other_connections(
    cluster: Cluster, make_scene: MakeScene, body: str
) -> None:
    """A revision may wait where it wants to: SIGTERM ends it."""
    scene = make_scene(cluster, body)
    first = scene.start()
    waits = (
        "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database()"
        " AND state = 'active' AND query LIKE 'SELECT 42 AS waits_here%'"
    )
    scene.wait_until(waits)
    first.signal(SIGTERM)
    assert first.finish(SOON).status == 143
    assert revisions(cluster, scene.database) == ["a1"]


def test_by_hand(cluster: Cluster, make_scene: MakeScene) -> None:
    """What docs/other-projects.md says about env.py works with Alembic's own settings."""
    scene = make_scene(cluster, MAKE_TABLE, HAND_ENV)
    break_last(scene)
    failed = by_hand(scene, "upgrade", "head")
    assert failed.returncode != 0
    assert "division by zero" in failed.stderr
    assert revisions(cluster, scene.database) == ["b2"]
    break_last(scene, whole=True)
    upgraded = by_hand(scene, "upgrade", "head")
    assert (upgraded.returncode, "died" in upgraded.stderr) == (0, False), upgraded.stderr
    scene.assert_complete()
    reverted = by_hand(scene, "downgrade", "b2")
    assert reverted.returncode == 0, reverted.stderr
    assert revisions(cluster, scene.database) == ["b2"]
    assert "t_c3" not in relations(cluster, scene.database)
    stamped = by_hand(scene, "stamp", "c3")
    assert (stamped.returncode, "ended its transaction" in stamped.stderr) == (0, False)
    rows = scene.query(
        "SELECT direction || ' ' || revision || ' ' || status FROM schema_journal ORDER BY id"
    )
    assert [line for (line,) in rows] == [
        "upgrade a1 applied",
        "upgrade b2 applied",
        "upgrade c3 failed",
        "upgrade c3 applied",
        "downgrade c3 applied",
        "stamp c3 applied",
    ]


def test_by_hand_the_other_way_round(cluster: Cluster, make_scene: MakeScene) -> None:
    """A transaction that would end after the lock is refused, and nothing is changed."""
    env = HAND_ENV.replace(
        "with one_at_a_time(context.get_context()), context.begin_transaction():",
        "with context.begin_transaction(), one_at_a_time(context.get_context()):",
    )
    scene = make_scene(cluster, MAKE_TABLE, env)
    refused = by_hand(scene, "upgrade", "head")
    assert refused.returncode != 0
    assert "env.py has a transaction open" in refused.stderr + refused.stdout
    assert relations(cluster, scene.database) == []
