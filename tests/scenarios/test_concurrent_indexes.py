"""Concurrent builds of indexes whose starter is killed, and builds while others wait.

What else may happen to a build needs no process: tests/boot/running/test_concurrent_indexes.py.
"""

from signal import SIGKILL

import pytest

from tests.cluster import Cluster
from tests.scenarios.index_builds import (
    BLOCK,
    BODY,
    BUILD,
    ITS_INDEX,
    PHASES,
    VALID,
    execute,
    held_at,
    wait_for_phase,
)
from tests.scenarios.scene import MAKE_TABLE, SOON, MakeScene

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("phase", PHASES)
def test_killed_in_a_phase(cluster: Cluster, make_scene: MakeScene, phase: str) -> None:
    """What is left is dropped and built again, and is then as if nothing had been."""
    scene = make_scene(cluster, PHASES[phase], begun=True)
    with held_at(scene, phase):
        first = scene.start()
        wait_for_phase(scene, phase)
        backend = scene.backend_of(first)
        first.signal(SIGKILL)
        assert first.finish().status == -SIGKILL
        second = scene.start()
        scene.wait_for_end(backend)  # or it could come to its end after all
        execute(scene, "UPDATE pace SET seconds = 0")
    finished = second.finish(SOON)
    finished.assert_ok()
    finished.assert_says("Index public.by_name is INVALID, left by a build that was cut short: …")
    scene.assert_complete()
    [(is_valid, definition)] = scene.query(ITS_INDEX)
    assert is_valid
    assert str(definition).startswith("CREATE UNIQUE INDEX by_name ON public.steps USING btree (")
    expected = ["a1 applied other", "b2 failed first", "b2 applied second", "c3 applied second"]
    assert scene.journal(first=first, second=second) == expected


def test_a_reindex_that_was_killed(any_cluster: Cluster, make_scene: MakeScene) -> None:
    """It has left an index beside the one that it was to replace, which the next one drops."""
    body = f'{BLOCK}op.execute("REINDEX INDEX CONCURRENTLY by_name")\n{MAKE_TABLE}'
    scene = make_scene(any_cluster, body, begun=True)
    execute(scene, BUILD)
    indexes = (
        "SELECT indexrelid::regclass::text, indisvalid FROM pg_index"
        " WHERE indrelid = 'steps'::regclass ORDER BY 1"
    )
    with held_at(scene, "waiting for writers before build"):
        first = scene.start()
        wait_for_phase(scene, "waiting for writers before build")
        backend = scene.backend_of(first)
        first.signal(SIGKILL)
        assert first.finish().status == -SIGKILL
        second = scene.start()
        scene.wait_for_end(backend)
        assert scene.query(indexes) == [("by_name", True), ("by_name_ccnew", False)]
    finished = second.finish(SOON)
    finished.assert_ok()
    finished.assert_says("Index public.by_name_ccnew is INVALID, left by a REINDEX that was cut …")
    assert scene.query(indexes) == [("by_name", True)]


def test_starters_that_wait(cluster: Cluster, make_scene: MakeScene) -> None:
    """None of them is waited for by the build: that would be a deadlock."""
    scene = make_scene(cluster, BODY, begun=True)
    starters = [scene.start() for _ in range(8)]
    for starter in starters:
        starter.finish().assert_ok()
    scene.assert_complete()
    assert scene.query(ITS_INDEX) == VALID
    deadlocks = f"SELECT deadlocks FROM pg_stat_database WHERE datname = '{scene.database}'"
    assert scene.query(deadlocks) == [(0,)]
