"""A migration on tables that are in use, as a process: signals, `alembic` by hand, a pooler.

The rest needs no process: tests/boot/running/test_busy_tables.py and test_retries.py.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from signal import SIGTERM

import pytest

from tests.cluster import Cluster
from tests.scenarios.by_hand import by_hand
from tests.scenarios.envs import (
    HAND_ENV,
)
from tests.scenarios.live_traffic import (
    ALTER,
    HELD_OFF,
    assert_readers_hardly_notice,
    blocking,
    traffic,
    wait_until_waited_for,
)
from tests.scenarios.scene import SOON, MakeScene

pytestmark = pytest.mark.slow


def test_readers_hardly_notice(cluster: Cluster, make_scene: MakeScene) -> None:
    """Behind a long transaction nobody else waits for long; soon after its end it is done."""
    scene = make_scene(cluster, ALTER, begun=True)
    assert_readers_hardly_notice(scene, cluster, blockers=3)


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
        starter.wait_for(HELD_OFF.format("backend … (report, …)"))
        other.cursor().execute("ROLLBACK")
        starter.finish(SOON).assert_ok()
    scene.assert_complete()
    assert found.failures == []


def test_by_hand(cluster: Cluster, make_scene: MakeScene) -> None:
    """`alembic upgrade` yields as `inv migrate` does."""
    scene = make_scene(cluster, ALTER, HAND_ENV, begun=True)
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


def test_a_stop_in_a_pause(cluster: Cluster, make_scene: MakeScene) -> None:
    """It is heard at once, and nothing is left behind."""
    scene = make_scene(cluster, ALTER, begun=True)
    with blocking(cluster, scene.database):
        starter = scene.start()
        starter.wait_for(HELD_OFF.format("…"))
        starter.signal(SIGTERM)
        starter.finish(SOON).assert_failed(143, "Stopped by SIGTERM.")
    scene.assert_at_first()
    assert scene.errors() == ["Stopped by SIGTERM."]
