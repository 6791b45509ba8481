"""A database whose recorded revisions have no place in this history: squashed, renamed, edited."""

from dataclasses import replace
from pathlib import Path

import pytest

from alembic_boot.adoption.adopt import adopt
from alembic_boot.description import SchemaPolicy
from alembic_boot.errors import (
    BootError,
    ConfigurationError,
    HistoryBrokenError,
    MigrationFailedError,
    SchemaAheadError,
    SchemaDivergedError,
    SchemaUnmanagedError,
)
from alembic_boot.history.history import History
from alembic_boot.migration.downgrade_target import preview_one_step_down
from alembic_boot.migration.migrate import migrate
from alembic_boot.migration.status import read_status
from alembic_boot.running.record import rows_after, stamp
from tests.boot.adoption.unmanaged import Theirs, scratches
from tests.boot.history.graphs import BRANCHED, LINE, MERGED, SEPARATE
from tests.cluster import Cluster


@pytest.mark.parametrize(
    ("made", "current", "stamped", "expected"),
    [
        (LINE, "", "002", "002"),
        (LINE, "001", "003", "003"),
        (LINE, "003", "001", "001"),
        (LINE, "002", "002", "002"),
        (LINE, "f00", "002", "002"),
        (LINE, "001 003", "002", "002"),
        (BRANCHED, "b1 c2", "c1", "b1 c1"),
        (BRANCHED, "b1 c1", "c2", "b1 c2"),
        (BRANCHED, "b1 f00", "c2", "b1 c2"),
        (BRANCHED, "b1", "a1", "a1"),
        (BRANCHED, "", "b1 c2", "b1 c2"),
        (MERGED, "b1 c1", "d1", "d1"),
        (MERGED, "d1", "b1 c1", "b1 c1"),
        (MERGED, "", "b1 d1", "d1"),
        (SEPARATE, "x1", "y2", "y2"),
        (SEPARATE, "x2", "y2", "x2 y2"),
    ],
)
def test_rows_after(made: History, current: str, stamped: str, expected: str) -> None:
    """A revision replaces what it stands on and what stands on it; other branches stay."""
    found = rows_after(tuple(current.split()), tuple(stamped.split()), made)
    assert sorted(found) == expected.split()


class Squashed(Theirs):
    """A project that changes its history while its database stays as it is."""

    def forget(self, *revisions: str) -> None:
        """Delete files from the history."""
        for revision in revisions:
            [path] = self.project.versions.glob(f"{revision}_*.py")
            path.unlink()

    def squash(self, name: str, *tables: str, parent: str | None = None) -> None:
        """Write one revision that makes what several made."""
        body = "\n".join(
            f'op.create_table("t_{table}", sa.Column("id", sa.Integer, primary_key=True))'
            for table in tables
        )
        drop = "\n".join(f'op.drop_table("t_{table}")' for table in tables)
        self.project.revision(name, parent, body, drop)

    def line(self, *revisions: str) -> None:
        """Write revisions, each of which makes a table, and bring the database there."""
        for parent, revision in zip((None, *revisions), revisions, strict=False):
            self.project.revision(revision, parent)
        self.migrate()

    def restamp(self, revision: str | None = None, *, dry_run: bool = False) -> None:
        adopt(self.boot, revision, restamp=True, dry_run=dry_run)

    def refused(
        self, kind: type[BootError], *, restamp: bool = True, rev: str | None = None
    ) -> str:
        """Return why nothing is recorded; the database stays as it is."""
        before = self.journal(), self.revisions()
        with pytest.raises(kind) as caught:
            adopt(self.boot, rev, restamp=restamp)
        assert (self.journal(), self.revisions()) == before
        assert scratches(self.cluster) == []
        return str(caught.value)

    def state(self) -> tuple[str, tuple[str, ...], str | None]:
        """Return what `inv status` says: the state, what is pending, and what is refused."""
        found = read_status(self.boot)
        refusal = str(found.refusal) if found.refusal else None
        return found.inspection.state.value, found.pending, refusal


@pytest.fixture
def theirs(tmp_path: Path, cluster: Cluster, database: str) -> Squashed:
    """Give a project without revisions, beside an empty database."""
    return Squashed(tmp_path, cluster, database)


pytestmark = pytest.mark.slow


def test_all_squashed_into_one(theirs: Squashed, caplog: pytest.LogCaptureFixture) -> None:
    """It says which revision the schema is, records that when told to, and goes on from there."""
    theirs.line("a1", "b2", "c3")
    theirs.forget("a1", "b2", "c3")
    theirs.squash("s1", "a1", "b2", "c3")
    with pytest.raises(SchemaDivergedError, match="`inv adopt --dry-run` says which one"):
        theirs.migrate()
    assert theirs.refused(SchemaDivergedError, restamp=False) == (
        "The database is at c3, which has no place in this history. Its schema is that of s1 "
        "Foreign s1. Record that with `inv adopt --restamp`. Nothing was changed."
    )
    caplog.set_level("INFO")
    theirs.restamp(dry_run=True)
    said = "The database is as revision s1 makes it: that would be recorded instead of c3"
    assert said in caplog.messages
    assert theirs.revisions() == ["c3"]
    theirs.restamp()
    assert "Adopted the database as revision s1 Foreign s1 instead of c3" in caplog.messages
    assert theirs.revisions() == ["s1"]
    assert theirs.journal()[3:] == ["stamp s1 applied"]
    assert theirs.query("SELECT down_revision FROM schema_journal WHERE revision = 's1'") == [
        ("c3",)
    ]
    assert theirs.state() == ("current", (), None)
    theirs.project.revision("d4", "s1")
    assert theirs.state() == ("behind", ("d4",), None)
    theirs.migrate()
    assert theirs.revisions() == ["d4"]
    theirs.restamp()
    assert "There is nothing to adopt: the database is current, at d4" in caplog.messages


@pytest.mark.parametrize("last", ["b2", "c3"])
def test_the_first_half_squashed(theirs: Squashed, last: str) -> None:
    """Where the last squashed one was is where the rest goes on."""
    theirs.line(*("a1", "b2", "c3")[: "abc".index(last[0]) + 1])
    theirs.forget("a1", "b2")
    theirs.squash("s1", "a1", "b2")
    if last == "c3":
        theirs.forget("c3")
    theirs.project.revision("c3", "s1")
    theirs.restamp()
    theirs.project.revision("d4", "c3", constants='phase = "expand"')
    theirs.migrate()
    assert theirs.revisions() == ["d4"]
    theirs.forget("d4")
    assert theirs.state() == ("ahead", (), None)


def test_an_older_history_makes_nothing_ahead(theirs: Squashed) -> None:
    """What the journal has of vanished revisions is not what a newer release has more."""
    theirs.line("a1", "b2")
    theirs.forget("a1", "b2")
    theirs.squash("s1", "a1", "b2")
    theirs.restamp()
    theirs.project.revision("c3", "s1", constants='phase = "expand"')
    theirs.migrate()
    theirs.forget("c3")
    assert theirs.state() == ("ahead", (), None)


def test_the_release_before_knows_what_is_newer(theirs: Squashed) -> None:
    """To the history that still has the old revisions, the squashed one stands on them."""
    theirs.line("a1", "b2")
    theirs.forget("a1", "b2")
    theirs.squash("s1", "a1", "b2")
    theirs.restamp()
    theirs.forget("s1")
    theirs.project.revision("a1")
    theirs.project.revision("b2", "a1")
    assert theirs.state() == ("ahead", (), None)  # and it serves: nothing was changed
    refusal = theirs.refused(SchemaAheadError)
    assert refusal.startswith("The database is at s1, ahead of this release, whose head is b2")
    with pytest.raises(SchemaAheadError):
        stamp(theirs.boot, "b2")


def test_back_to_the_history_that_was_squashed(theirs: Squashed) -> None:
    """In development an older checkout records its own revision again: nothing else works."""
    theirs.line("a1", "b2")
    theirs.forget("a1", "b2")
    theirs.squash("s1", "a1", "b2")
    theirs.restamp()
    theirs.forget("s1")
    theirs.project.revision("a1")
    theirs.project.revision("b2", "a1")
    boot = replace(theirs.boot, schema=SchemaPolicy("heads", disposal="run `rm -r data`"))
    with pytest.raises(SchemaAheadError, match=r"s1 was recorded by a stamp .* --restamp`"):
        preview_one_step_down(boot)
    adopt(boot, restamp=True)
    assert theirs.revisions() == ["b2"]
    assert theirs.state() == ("current", (), None)
    theirs.forget("a1", "b2")
    theirs.squash("s1", "a1", "b2")
    adopt(boot, restamp=True)
    assert theirs.revisions() == ["s1"]
    assert theirs.state() == ("current", (), None)


def test_an_id_that_was_used_before(theirs: Squashed) -> None:
    """A squashed revision may have an old one's id; its file is what counts from then on."""
    theirs.line("a1", "b2", "c3")
    theirs.forget("a1", "b2", "c3")
    theirs.squash("a1", "a1", "b2", "c3")
    theirs.restamp()
    assert theirs.revisions() == ["a1"]
    assert read_status(theirs.boot).inspection.replaced == ()


def test_the_last_id_is_kept(theirs: Squashed) -> None:
    """The state is current, and the file another one than was applied: that can be said."""
    theirs.line("a1", "b2")
    theirs.forget("a1", "b2")
    theirs.squash("b2", "a1", "b2")
    assert theirs.state()[0] == "diverged"
    theirs.restamp()
    assert theirs.revisions() == ["b2"]
    assert read_status(theirs.boot).inspection.replaced == ()


def test_the_release_before_has_the_file_that_was_applied(theirs: Squashed) -> None:
    """If the last id is kept, the old history is at its head still: replicas of it go on."""
    theirs.line("a1", "b2")
    theirs.forget("a1", "b2")
    theirs.squash("b2", "a1", "b2")
    theirs.restamp()
    theirs.forget("b2")
    theirs.project.revision("a1")
    theirs.project.revision("b2", "a1")
    assert theirs.state() == ("current", (), None)
    theirs.forget("b2")
    theirs.project.revision("b2", "a1", "pass")
    assert theirs.state()[0] == "diverged"


def test_the_release_before_would_run_again_what_is_there(theirs: Squashed) -> None:
    """If an id from the middle is kept, the old history must not go on from it."""
    theirs.line("a1", "b2", "c3")
    theirs.forget("a1", "b2", "c3")
    theirs.squash("a1", "a1", "b2", "c3")
    theirs.restamp()
    theirs.forget("a1")
    for parent, revision in ((None, "a1"), ("a1", "b2"), ("b2", "c3")):
        theirs.project.revision(revision, parent)
    assert theirs.state()[0] == "diverged"


def test_a_revision_below_that_was_edited(theirs: Squashed) -> None:
    """Its file counts from then on if the history still makes the schema that is there."""
    theirs.line("a1", "b2")
    theirs.forget("a1")
    theirs.project.revision("a1", None, 'op.execute("CREATE TABLE t_a1 (id serial PRIMARY KEY)")')
    assert theirs.state()[0] == "diverged"
    theirs.restamp()
    assert theirs.journal()[2:] == ["stamp a1 applied", "stamp b2 applied"]
    assert theirs.revisions() == ["b2"]
    assert read_status(theirs.boot).inspection.replaced == ()


def test_none_is_equal(theirs: Squashed, caplog: pytest.LogCaptureFixture) -> None:
    """A database that was not at the newest of the squashed ones has to get there first."""
    theirs.line("a1")
    theirs.forget("a1")
    theirs.squash("s1", "a1", "b2")
    assert theirs.refused(SchemaUnmanagedError) == (
        "The schema is that of no revision; s1 Foreign s1 is nearest, with 2 differences. Change "
        "the schema by hand until it is that of a revision, or bring it to the newest revision of "
        "the release that it comes from, with that release. `inv adopt --dry-run --revision REV` "
        "shows the differences to another one. Nothing was changed."
    )
    assert "s1: table t_b2 is missing" in caplog.messages


def test_rollback_over_a_restamp(theirs: Squashed) -> None:
    """What the squashed one stands for is gone, too: it makes no later release seem to contract."""
    theirs.line("a1", "b2", "c3")
    theirs.forget("b2", "c3")
    theirs.squash("s1", "b2", "c3", parent="a1")
    theirs.restamp()
    migrate(replace(theirs.boot, schema=SchemaPolicy("a1", rollback=True)))
    assert theirs.journal()[3:] == [
        "stamp s1 applied",
        "downgrade s1 applied",
        "downgrade c3 applied",
        "downgrade b2 applied",
    ]
    theirs.migrate()
    theirs.project.revision("d4", "s1", constants='phase = "expand"')
    theirs.migrate()
    theirs.forget("d4")
    assert theirs.state() == ("ahead", (), None)


def test_several_are_equal(theirs: Squashed) -> None:
    """Somebody has to say which it is, in words that work as they are."""
    theirs.line("a1")
    theirs.forget("a1")
    theirs.squash("s1", "a1")
    theirs.project.revision("s2", "s1", "pass", "pass")
    for restamp in (False, True):
        assert theirs.refused(SchemaUnmanagedError, restamp=restamp).endswith(
            "Say which one it is: `inv adopt --restamp --revision s2`. Nothing was changed."
        )
    assert theirs.refused(SchemaDivergedError, restamp=False, rev="s1").endswith(
        "Record that with `inv adopt --restamp --revision s1`. Nothing was changed."
    )
    theirs.restamp("s1")
    assert theirs.revisions() == ["s1"]


def test_two_rows_for_one(theirs: Squashed) -> None:
    """Both branches were squashed into one revision, with a label."""
    theirs.project.revision("a1")
    theirs.project.revision("b2", "a1", constants='branch_labels = "left"')
    theirs.project.revision("c2", "a1")
    theirs.migrate()
    assert theirs.revisions() == ["b2", "c2"]
    theirs.forget("a1", "b2", "c2")
    theirs.squash("s1", "a1", "b2", "c2")
    theirs.project.revision("d3", "s1", constants='branch_labels = "left"')
    theirs.restamp()
    assert theirs.revisions() == ["s1"]
    theirs.migrate()
    assert theirs.revisions() == ["d3"]


def test_one_row_for_two(theirs: Squashed) -> None:
    """All heads are recorded at once."""
    theirs.line("a1", "b2")
    theirs.forget("a1", "b2")
    theirs.project.revision("s1", None, theirs_table("a1"))
    theirs.project.revision("s2", None, theirs_table("b2"))
    theirs.restamp()
    assert theirs.revisions() == ["s1", "s2"]
    assert theirs.state() == ("current", (), None)


def theirs_table(name: str) -> str:
    return f'op.create_table("t_{name}", sa.Column("id", sa.Integer, primary_key=True))'


@pytest.mark.parametrize("rows", ["('a1'), ('b2')", "('b2'), ('b2')", "('b2'), ('f00')"])
def test_a_row_too_many(theirs: Squashed, rows: str) -> None:
    """Rows that imply each other, or that nobody knows, are replaced as well."""
    theirs.line("a1", "b2")
    theirs.execute("ALTER TABLE alembic_version DROP CONSTRAINT alembic_version_pkc")
    theirs.execute(f"DELETE FROM alembic_version; INSERT INTO alembic_version VALUES {rows}")
    assert theirs.state()[0] == "diverged"
    theirs.restamp()
    assert theirs.revisions() == ["b2"]
    assert theirs.state() == ("current", (), None)


def test_all_of_it_or_nothing(theirs: Squashed) -> None:
    """The old rows go in the transaction that brings the new ones and the journal's."""
    theirs.line("a1", "b2")
    theirs.forget("a1", "b2")
    theirs.project.revision("s1", None, theirs_table("a1"))
    theirs.project.revision("s2", None, theirs_table("b2"))
    theirs.execute("ALTER TABLE alembic_version ADD CHECK (version_num <> 's1')")
    with pytest.raises(MigrationFailedError, match=r"s1, s2 could not be recorded: .*Nothing was"):
        theirs.restamp()
    assert theirs.revisions() == ["b2"]
    assert theirs.journal()[2:] == ["stamp s1 failed", "stamp s2 failed"]
    theirs.execute("ALTER TABLE alembic_version DROP CONSTRAINT alembic_version_version_num_check")
    theirs.restamp()
    assert theirs.revisions() == ["s1", "s2"]
    assert theirs.state() == ("current", (), None)


def test_what_would_be_refused_is_not_recorded(theirs: Squashed) -> None:
    """An id that is too long for the column."""
    long = "s" * 40
    theirs.line("a1")
    theirs.forget("a1")
    theirs.squash(long, "a1")
    assert "longer than the 32 characters" in theirs.refused(HistoryBrokenError)


def test_nothing_is_to_be_adopted_at_a_pinned_branch(theirs: Squashed) -> None:
    """Known revisions on another branch than the target's are as they should be."""
    theirs.project.revision("a1")
    theirs.project.revision("b2", "a1")
    theirs.migrate()
    theirs.restamp()
    assert theirs.journal() == ["upgrade a1 applied", "upgrade b2 applied"]


def test_stamp(theirs: Squashed, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody's word is taken: nothing is run and nothing compared."""
    caplog.set_level("INFO")
    for revision, parent in (("a1", None), ("b2", "a1"), ("c2", "a1")):
        theirs.project.revision(revision, parent)
    stamp(theirs.boot, "b2")
    assert theirs.revisions() == ["b2"]
    stamp(theirs.boot, "heads")
    assert theirs.revisions() == ["b2", "c2"]
    stamp(theirs.boot, "a1")
    assert theirs.revisions() == ["a1"]
    assert "Recorded revision a1 Foreign a1" in caplog.messages
    theirs.execute("UPDATE alembic_version SET version_num = 'f00'")
    stamp(theirs.boot, "c2")
    assert theirs.revisions() == ["c2"]
    assert set(theirs.journal()) == {f"stamp {it} applied" for it in ("a1", "b2", "c2")}
    with pytest.raises(ConfigurationError, match="'f00' "):
        stamp(theirs.boot, "f00")
    assert theirs.revisions() == ["c2"]
