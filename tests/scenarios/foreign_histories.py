"""Histories of projects unlike ours, and what is expected of a migration through them."""

from abc import ABC, abstractmethod

from tests.cluster import Cluster
from tests.scenarios.process import Finished, ForeignProject


class Migrated(ABC):
    """A project beside its database, however the tasks on it are run."""

    project: ForeignProject

    @abstractmethod
    def migrate(self) -> Finished:
        """Bring the database to its target."""

    @abstractmethod
    def roll_back(self, target: str) -> Finished:
        """Take the database back to a revision."""

    @abstractmethod
    def status(self) -> dict[str, object]:
        """Return what `inv status --json` says."""

    def assert_migrates(self, current: list[str], pending: list[str]) -> Finished:
        """Migrate an empty database, look at its status before and after, and migrate again."""
        before = self.status()
        assert (before["state"], before["current"], before["pending"]) == ("empty", [], pending)
        finished = self.migrate()
        finished.assert_ok()
        finished.assert_says(
            "Running database migrations...",
            *(f"Applied {revision} Foreign {revision} (… ms)" for revision in pending),
            "Database migrations completed successfully",
            "Schema revision: " + ", ".join(current) + "…",
            "Tables: …",
        )
        after = self.status()
        assert (after["state"], after["current"], after["pending"]) == ("current", current, [])
        again = self.migrate()
        again.assert_ok()
        again.assert_says("Database migrations completed successfully (already up to date)")
        return finished


def journal(cluster: Cluster, database: str, table: str = "schema_journal") -> list[str]:
    """Return what the journal says, a line for each row in their order."""
    rows = cluster.query(
        f"SELECT concat_ws(' ', direction, revision, status) FROM {table} ORDER BY id", database
    )
    return [str(line) for (line,) in rows]


def three_revisions(theirs: Migrated) -> None:
    """Add a history with an autocommit block in its middle."""
    theirs.project.revision("a1")
    theirs.project.revision(
        "b2",
        "a1",
        """
        op.create_table("t_b2", sa.Column("id", sa.Integer, primary_key=True))
        with op.get_context().autocommit_block():
            op.execute("CREATE INDEX CONCURRENTLY ix ON t_a1 (id)")
        op.create_table("t_b2_more", sa.Column("id", sa.Integer, primary_key=True))
        """,
        'op.drop_table("t_b2_more"); op.drop_index("ix"); op.drop_table("t_b2")',
    )
    theirs.project.revision("c3", "b2")


def assert_whole(theirs: Migrated, cluster: Cluster, database: str, starts: int = 3) -> None:
    """Migrate, take it all back, migrate again; the journal has a row for each step.

    `starts` says of how many the session's start was seen.
    """
    theirs.assert_migrates(["c3"], ["a1", "b2", "c3"])
    up = [f"upgrade {name} applied" for name in ("a1", "b2", "c3")]
    assert journal(cluster, database) == up
    assert cluster.query(
        "SELECT count(DISTINCT backend_pid), count(backend_start), bool_and(backend_pid > 0)"
        " FROM schema_journal",
        database,
    ) == [(1, starts, True)]
    theirs.roll_back("base").assert_ok()
    down = [f"downgrade {name} applied" for name in ("c3", "b2", "a1")]
    assert journal(cluster, database) == up + down
    theirs.migrate().assert_ok()
    assert journal(cluster, database) == up + down + up
