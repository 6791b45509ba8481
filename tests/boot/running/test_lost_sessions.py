"""Sessions that a run loses, does not get, or may not end; and revisions that fail."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from uuid import uuid4

import psycopg2
import pytest

from alembic_boot.postgres.advisory import AdvisoryKey
from tests.boot.in_process import MakeScene, Run
from tests.cluster import OWNER, PASSWORD, Cluster
from tests.scenarios.envs import (
    DRIVERS,
)
from tests.scenarios.scene import LOST, MAKE_TABLE, WAITING, Scene, gate_of, step

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("env", DRIVERS.values(), ids=DRIVERS.keys())
def test_lock_lost_in_a_statement(cluster: Cluster, make_scene: MakeScene, env: str) -> None:
    """One whose lock is gone ends by itself, long before the statement would, and undoes it."""
    scene = make_scene(cluster, WAITING, env)
    with gate_of(scene) as gate:
        first = scene.start()
        backend = gate.wait_for(first)
        scene.end_lock_session()
        first.finish().assert_failed(5, LOST)
        scene.wait_for_end(backend)
        scene.assert_at_first()
    assert scene.statuses() == ["a1 applied", "b2 failed"]
    assert scene.errors() == [LOST]
    second = scene.start()
    second.finish().assert_ok()
    scene.assert_complete()


def plant_row(scene: Scene[Run], backend: int, key: AdvisoryKey) -> None:
    """Write the row of a starter that died while a session worked for it with this key."""
    scene.query(f"""
        INSERT INTO schema_journal (
            version_table, revision, down_revision, direction, phase, status, started_at, host,
            pid, backend_pid, backend_start, session_key)
        SELECT 'public.alembic_version', 'b2', 'a1', 'upgrade', 'contract', 'running', now(),
            'elsewhere', 1, {backend}, backend_start, {key.number}
        FROM pg_stat_activity WHERE pid = {backend}
        RETURNING id
    """)


def test_a_session_that_may_not_be_ended(any_cluster: Cluster, make_scene: MakeScene) -> None:
    """Where a dead starter's session is not this role's to end, it says which one it is."""
    scene = make_scene(any_cluster, f"{MAKE_TABLE}\n{step('b2')}")
    first = scene.start(MIGRATION_TARGET="a1")
    first.finish().assert_ok()
    with closing(any_cluster.connect(scene.database)) as connection:
        cursor = connection.cursor()
        key = AdvisoryKey.random()
        cursor.execute(f"BEGIN; SELECT pg_advisory_xact_lock({key.number})")
        cursor.execute("SELECT pg_backend_pid()")
        [backend] = cursor.fetchone() or [0]
        plant_row(scene, backend, key)
        scene.start(MIGRATE_LOCK_TIMEOUT="1").finish().assert_failed(
            6,
            f"A session of a starter that died (backend {backend}, at b2) is still running, and "
            f"this role may not end it. End it as the superuser with `SELECT "
            f"pg_terminate_backend({backend})`. Nothing was changed.",
        )
        scene.assert_at_first()
        cursor.execute("SELECT 1")
    second = scene.start()
    second.finish().assert_ok()
    scene.assert_complete()
    assert scene.statuses() == ["a1 applied", "b2 failed", "b2 applied", "c3 applied"]


def test_a_session_that_works_for_somebody_else(
    any_cluster: Cluster, make_scene: MakeScene
) -> None:
    """A pooler lends a dead one's session to somebody else: that one is nobody's remains."""
    scene = make_scene(any_cluster, f"{MAKE_TABLE}\n{step('b2')}")
    scene.start(MIGRATION_TARGET="a1").finish().assert_ok()
    with closing(psycopg2.connect(any_cluster.url(scene.database))) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT pg_backend_pid()")
        [backend] = cursor.fetchone() or [0]
        plant_row(scene, backend, AdvisoryKey.random())
        finished = scene.start().finish()
        finished.assert_ok()
        finished.assert_never_says("Ended the session …")
        cursor.execute("SELECT 1")
    scene.assert_complete()


@pytest.fixture
def own_role(cluster: Cluster) -> Iterator[str]:
    """Give a role of the test's own."""
    name = f"test_{uuid4().hex[:12]}"
    cluster.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
    yield name
    cluster.execute(f"DROP ROLE {name}")


@pytest.fixture
def limited(cluster: Cluster, own_role: str, make_scene: MakeScene) -> Iterator[Scene[Run]]:
    """Give a scene whose database belongs to a role of the test's own."""
    made = make_scene(cluster, WAITING)
    cluster.execute(f"ALTER DATABASE {made.database} OWNER TO {own_role}")
    yield replace(made, user=own_role)
    cluster.execute(f"DROP DATABASE {made.database} WITH (FORCE)")


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
def test_too_few_connections(limited: Scene[Run], own_role: str, limit: int) -> None:
    """A role that gets too few connections gets a sentence, and loses nothing."""
    limited.cluster.execute(f"ALTER ROLE {own_role} CONNECTION LIMIT {limit}")
    first = limited.start()
    finished = first.finish()
    assert finished.status in ({3} if limit == 1 else {0, 3, 5}), finished
    assert len(finished.stderr) == (finished.status != 0), finished
    assert not finished.stderr or "too many connections for role" in finished.stderr[0]
    limited.cluster.execute(f"ALTER ROLE {own_role} CONNECTION LIMIT -1")
    second = limited.start()
    second.finish().assert_ok()
    limited.assert_complete()


def test_connections_taken_away_meanwhile(limited: Scene[Run], own_role: str) -> None:
    """One that gets no more connections in mid-migration keeps what it has committed."""
    with gate_of(limited) as gate:
        first = limited.start()
        gate.wait_for(first)
        limited.cluster.execute(f"ALTER ROLE {own_role} CONNECTION LIMIT 1")
        gate.open()
        finished = first.finish()
    assert finished.status in {3, 5}, finished
    assert len(finished.stderr) == 1, finished
    assert "too many connections for role" in finished.stderr[0]
    limited.assert_complete()
    limited.cluster.execute(f"ALTER ROLE {own_role} CONNECTION LIMIT -1")
    limited.start().finish().assert_ok()
    limited.assert_complete()


NO_SPACE = """
op.execute('''
    DO $$ BEGIN
        RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';
    END $$
''')
"""


def test_disk_full(cluster: Cluster, make_scene: MakeScene) -> None:
    """Where the server has no space left, the revision is rolled back, and runs when it has."""
    fixed = f"{MAKE_TABLE}\n{step('b2')}"
    scene = make_scene(cluster, fixed + NO_SPACE)
    first = scene.start()
    first.finish().assert_failed(
        5,
        "Migration b2 Foreign b2 failed: b2_test.py, line …: …could not extend file: No space "
        "left on device. The database is at a1 now; what the failure's transaction had changed "
        "was rolled back. …",
    )
    scene.assert_at_first()
    assert scene.statuses() == ["a1 applied", "b2 failed"]
    [error] = scene.errors()
    assert "could not extend file: No space left on device" in error
    scene.foreign.revision("b2", "a1", fixed)
    second = scene.start()
    second.finish().assert_ok()
    scene.assert_complete()
    assert scene.statuses() == ["a1 applied", "b2 failed", "b2 applied", "c3 applied"]


def test_a_revision_raises(cluster: Cluster, make_scene: MakeScene) -> None:
    """The journal says why a revision failed, and not the password."""
    url = f"postgresql://{OWNER}:{PASSWORD}@elsewhere/x"
    scene = make_scene(
        cluster, f'{MAKE_TABLE}\nraise RuntimeError("{url} is away, {PASSWORD} too")'
    )
    first = scene.start()
    said = f"RuntimeError: postgresql://{OWNER}:***@elsewhere/x is away, *** too"
    first.finish().assert_failed(5, f"Migration b2 Foreign b2 failed: b2_test.py, line …: {said}…")
    scene.assert_at_first()
    assert scene.statuses() == ["a1 applied", "b2 failed"]
    [error] = scene.errors()
    assert said in error
