"""A replay that is killed, stopped or in another's way: nothing of it stays."""

import signal
from pathlib import Path

import pytest

from alembic_boot.adoption.leftover_databases import remove_leftovers
from alembic_boot.postgres.urls import parse_database_url
from tests.cluster import OWNER, Cluster
from tests.scenarios.adopting import databases, journal, wait_until
from tests.scenarios.process import ForeignProject, project, relations, revisions
from tests.scenarios.starters import Starter, Zygote

pytestmark = pytest.mark.slow

SLOW_ONCE = """
    from pathlib import Path
    if not Path({flag!r}).exists():
        op.execute("SELECT pg_sleep(600)")
    op.create_table("t_b2", sa.Column("id", sa.Integer, primary_key=True))
"""

SLEEPERS = "SELECT datname FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'"


class Slow:
    """A project whose second revision takes long, as long as there is no flag."""

    def __init__(self, folder: Path, zygote: Zygote, cluster: Cluster, database: str) -> None:
        self.flag = folder / "flag"
        self.foreign = ForeignProject(folder / "foreign")
        self.foreign.revision("a1")
        self.foreign.revision("b2", "a1", SLOW_ONCE.format(flag=str(self.flag)))
        self.foreign.revision("c3", "b2")
        self.folder = folder
        self.zygote = zygote
        self.cluster = cluster
        self.database = database
        cluster.execute(
            f"SET ROLE {OWNER}; CREATE TABLE t_a1 (id serial PRIMARY KEY);"
            "CREATE TABLE t_b2 (id serial PRIMARY KEY)",
            database,
        )

    def start(self, task: str = "migrate", **variables: str) -> Starter:
        return self.zygote.spawn(
            self.folder,
            task,
            barrier=False,
            ALEMBIC_CONFIG=str(self.foreign.config),
            APP_ENV="prod",
            DATABASE_URL=self.cluster.url(self.database),
            **variables,
        )

    def sleeper(self) -> str:
        """Return the database in which a replay is at its second revision, when it is."""
        wait_until(lambda: len(self.cluster.query(SLEEPERS)) == 1)
        [(name,)] = self.cluster.query(SLEEPERS)
        return str(name)

    def scratches(self) -> list[str]:
        return databases(self.cluster, self.database)


@pytest.fixture
def slow(tmp_path: Path, zygote: Zygote, cluster: Cluster, database: str) -> Slow:
    """Give such a project, beside a database that is at its second revision."""
    return Slow(project(tmp_path), zygote, cluster, database)


def test_how_far_a_long_replay_is(slow: Slow) -> None:
    """What takes longer than a second says so, and where it is."""
    starter = slow.start()
    starter.wait_for("Replayed 1 of 3 revisions, at b2")
    starter.signal(signal.SIGTERM)
    starter.finish()


def test_killed_at_a_revision(slow: Slow) -> None:
    """The next start removes the scratch, whatever still runs in it, and adopts."""
    starter = slow.start()
    scratch = slow.sleeper()
    url = parse_database_url(slow.cluster.url(slow.database))
    remove_leftovers(url)  # as any other starter on this database does
    assert slow.scratches() == [scratch]
    starter.signal(signal.SIGKILL)
    assert starter.finish().status == -signal.SIGKILL
    assert slow.scratches() == [scratch]
    slow.flag.touch()
    finished = slow.start().finish()
    finished.assert_ok()
    finished.assert_says(f"Removed {scratch}, left behind by a starter that died")
    assert slow.scratches() == []
    assert journal(slow.cluster, slow.database) == ["stamp b2 applied", "upgrade c3 applied"]


def test_killed_as_a_role_of_its_own(slow: Slow) -> None:
    """The next start removes that role with the scratch, also if it may create roles itself."""
    slow.cluster.execute(f"ALTER ROLE {OWNER} CREATEROLE")
    try:
        starter = slow.start()
        scratch = slow.sleeper()
        sleeper = "SELECT usename::text FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'"
        assert slow.cluster.query(sleeper) == [(scratch,)]
        starter.signal(signal.SIGKILL)
        starter.finish()
        slow.flag.touch()
        finished = slow.start().finish()
    finally:
        slow.cluster.execute(f"ALTER ROLE {OWNER} NOCREATEROLE")
    finished.assert_ok()
    finished.assert_says(f"Removed {scratch}, left behind by a starter that died")
    assert slow.scratches() == []
    assert slow.cluster.query("SELECT FROM pg_roles WHERE rolname ~ '_scratch_'") == []


@pytest.mark.parametrize(
    ("recorded", "task"), [("b2", "migrate"), ("c3", "migrate"), ("c3", "adopt")]
)
def test_killed_and_then_recorded_by_hand(slow: Slow, recorded: str, task: str) -> None:
    """The next one removes it, with or without work to do; one on another database does not."""
    starter = slow.start()
    scratch = slow.sleeper()
    starter.signal(signal.SIGKILL)
    starter.finish()
    url = parse_database_url(slow.cluster.url(slow.database))
    remove_leftovers(url.with_database("postgres"))
    assert slow.scratches() == [scratch]
    slow.cluster.execute(
        f"SET ROLE {OWNER}; CREATE TABLE alembic_version (version_num varchar(32) NOT NULL);"
        f"INSERT INTO alembic_version VALUES ('{recorded}')",
        slow.database,
    )
    finished = slow.start(task).finish()
    finished.assert_ok()
    finished.assert_says(f"Removed {scratch}, …")
    assert slow.scratches() == []


def test_killed_on_a_given_scratch(slow: Slow) -> None:
    """The next start ends what still runs there, and empties the database."""
    with slow.cluster.scratch_database() as scratch:
        given = {"SCRATCH_DATABASE_URL": slow.cluster.url(scratch)}
        starter = slow.start(**given)
        assert slow.sleeper() == scratch
        starter.signal(signal.SIGKILL)
        starter.finish()
        assert "t_a1" in relations(slow.cluster, scratch)
        slow.flag.touch()
        finished = slow.start(**given).finish()
        finished.assert_ok()
        finished.assert_says("Emptied the database of SCRATCH_DATABASE_URL: it had table …")
        assert relations(slow.cluster, scratch) == []
    assert revisions(slow.cluster, slow.database) == ["c3"]


def test_two_starters_on_one_given_scratch(slow: Slow) -> None:
    """The second one waits for the first, and neither sees what the other makes."""
    with slow.cluster.scratch_database() as scratch:
        given = {"SCRATCH_DATABASE_URL": slow.cluster.url(scratch)}
        first = slow.start(**given)
        slow.sleeper()
        second = slow.start("check", **given)
        second.wait_for("Waiting for another starter that works in the database of SCRATCH_…")
        late = slow.start("check", MIGRATE_LOCK_TIMEOUT="1", **given).finish()
        late.assert_failed(6, "Another starter has kept the database that SCRATCH_DATABASE_URL …")
        slow.flag.touch()
        slow.cluster.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE query = 'SELECT pg_sleep(600)'"
        )
        first.finish().assert_failed(8, "… cannot be determined: Migration b2 …")
        second.finish().assert_ok()
        assert relations(slow.cluster, scratch) == []


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_stopped_in_the_replay(slow: Slow, signum: signal.Signals) -> None:
    """It ends in order: the scratch is gone at once."""
    starter = slow.start()
    slow.sleeper()
    starter.signal(signum)
    assert starter.finish().status == 128 + signum
    assert slow.scratches() == []
    assert revisions(slow.cluster, slow.database) == []
