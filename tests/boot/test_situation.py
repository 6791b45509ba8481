"""The situation of a boot, as probes are told: each stage notes its own."""

import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from alembic_boot.errors import DatabaseUnreachableError
from alembic_boot.postgres import advisory
from alembic_boot.postgres.embedded import embedded_postgres
from alembic_boot.postgres.urls import parse_database_url
from alembic_boot.postgres.wait import wait_for_database
from alembic_boot.situation import Build, begin_boot, enter, note, situation, timed
from tests.boot.in_process import MakeScene
from tests.cluster import Cluster, free_port
from tests.scenarios.live_traffic import blocking
from tests.scenarios.scene import MAKE_TABLE, SCHEMA, SOON

BUILD = Build("i", "building index", 1, 3)


@pytest.fixture(autouse=True)
def _new_boot() -> None:
    begin_boot()


def test_a_stage_begins_without_the_facts_of_the_last() -> None:
    """Except for the revisions: they are done also while the seed data is inserted."""
    enter("migrate")
    note(revision="a1", build=BUILD, done=1, of=2, blocked_by="pid 1", reason="because")
    before = situation()
    enter("seed", 5)
    found = situation()
    assert found.stage_began_at >= before.stage_began_at
    assert found == replace(
        before,
        stage="seed",
        stage_began_at=found.stage_began_at,
        limit=5,
        revision=None,
        build=None,
        blocked_by=None,
        reason=None,
    )


def test_each_second_is_of_one_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of an inner stage is not counted twice, even if that stage fails."""
    now = 0

    def clock() -> int:
        return now

    monkeypatch.setattr(time, "monotonic", clock)
    with timed("wait"):
        now = 1
    with pytest.raises(RuntimeError), timed("migrate"):
        now = 11
        with timed("seed"):
            now = 111
            raise RuntimeError
    assert situation().seconds == {"wait": 1, "seed": 100, "migrate": 10}


def test_a_block_lasts_over_retries() -> None:
    """It began when nothing had blocked before, whatever blocks now."""
    note(blocked_by="pid 1")
    since = situation().blocked_since
    note(blocked_by="pid 2")
    assert situation().blocked_since == since
    note(blocked_by=None)
    note(blocked_by="pid 2")
    assert situation().blocked_since > since


def test_no_note_is_lost() -> None:
    """Threads note different facts at the same time."""

    def count(name: str) -> None:
        for number in range(2000):
            note(**{name: number})

    threads = [threading.Thread(target=count, args=(name,)) for name in ("done", "of")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (situation().done, situation().of) == (1999, 1999)


def test_the_wait_has_its_reason() -> None:
    url = parse_database_url(f"postgresql://me:top-secret@127.0.0.1:{free_port()}/books")
    with pytest.raises(DatabaseUnreachableError):
        wait_for_database(url, 0.1)
    assert situation().reason == "PostgreSQL is not ready: Connection refused"


@pytest.mark.slow
def test_the_embedded_server_starts(tmp_path: Path) -> None:
    """It counts as waiting."""
    with embedded_postgres(tmp_path / ".data", "postgres"):
        assert situation().stage == "wait"
        assert situation().reason == "The embedded PostgreSQL is starting."


@pytest.mark.slow
def test_a_revision_that_is_blocked(cluster: Cluster, make_scene: MakeScene) -> None:
    """Its number and its title are known, and the session that blocks it."""
    body = f'op.execute("ALTER TABLE pace ADD COLUMN more int")\n{MAKE_TABLE}'
    scene = make_scene(cluster, body, begun=True)
    with blocking(cluster, scene.database) as other:
        starter = scene.start()
        starter.wait_for("Migration b2 Foreign b2 is blocked by …")
        found = situation()
        other.cursor().execute("ROLLBACK")
        starter.finish(SOON).assert_ok()
        assert found.revision == "b2 Foreign b2"
        assert (found.done, found.of) == (0, 2)
        assert str(found.blocked_by).startswith(f"backend {other.info.backend_pid} (report, ")
        assert str(found.reason).startswith("Migration b2 Foreign b2 is blocked by ")
    found = situation()
    assert (found.revision, found.done, found.of) == (None, 2, 2)
    assert (found.blocked_by, found.reason) == (None, None)


@pytest.mark.slow
def test_a_statement_that_waits_for_long(cluster: Cluster, make_scene: MakeScene) -> None:
    """A wait for a row lasts as long as the budget: it is told although no try has failed."""
    body = f'op.execute("UPDATE pace SET seconds = 1")\n{MAKE_TABLE}'
    scene = make_scene(cluster, body, begun=True)
    statement = "UPDATE pace SET seconds = 2"
    with blocking(cluster, scene.database, statement) as other:
        starter = scene.start()
        starter.wait_for("Migration b2 Foreign b2: waiting for …")
        found = situation()
        other.cursor().execute("ROLLBACK")
        starter.finish(SOON).assert_ok()
        assert str(found.blocked_by).startswith(f"backend {other.info.backend_pid} (report, ")
        assert str(found.reason).startswith("Migration b2 Foreign b2: waiting for backend ")
    assert (situation().blocked_by, situation().reason) == (None, None)


@pytest.mark.slow
def test_another_starter(cluster: Cluster, make_scene: MakeScene) -> None:
    """The wait for its lock is a stage of its own, with a limit and with its name."""
    scene = make_scene(cluster, MAKE_TABLE, begun=True)
    with closing(cluster.connect(scene.database)) as holder:
        holder.autocommit = True
        advisory.begin(holder)
        assert advisory.try_lock(holder, SCHEMA)
        starter = scene.start(MIGRATE_LOCK_TIMEOUT="77")
        starter.wait_for("Waiting for another starter (…)")
        found = situation()
        advisory.end(holder)
        starter.finish(SOON).assert_ok()
    assert (found.stage, found.limit) == ("lock", 77)
    assert found.blocked_by is not None
    assert (situation().stage, situation().blocked_by) == ("migrate", None)
