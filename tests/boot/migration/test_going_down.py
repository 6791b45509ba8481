"""Going down where branches meet: everything beyond the target goes, and nothing else."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection

from alembic_boot.commands import as_typed
from alembic_boot.description import SchemaPolicy
from alembic_boot.errors import (
    ConfigurationError,
    HistoryBrokenError,
    SchemaAheadError,
    SchemaPastError,
    SchemaUnmanagedError,
)
from alembic_boot.migration.downgrade_target import preview_down_to_target, preview_one_step_down
from alembic_boot.migration.migrate import migrate
from alembic_boot.migration.roll_back import roll_back
from alembic_boot.state.journal import Journal
from alembic_boot.state.journal_rows import Applied
from tests.boot.adoption.unmanaged import Theirs
from tests.cluster import Cluster
from tests.scenarios.process import relations, revisions

Graph = Mapping[str, str | tuple[str, ...] | None]

MERGED: Graph = {"a1": None, "b1": "a1", "c1": "a1", "d1": ("b1", "c1"), "e1": "d1"}
BRANCHED: Graph = {"a1": None, "b1": "a1", "c1": "a1", "c2": "c1"}
SEPARATE: Graph = {"x1": None, "x2": "x1", "y1": None, "y2": "y1"}


def written(theirs: Theirs, graph: Graph) -> Theirs:
    """Return the project with the revisions of a graph, each with its parents."""
    for revision, parents in graph.items():
        theirs.project.revision(revision, parents)
    return theirs


def made(cluster: Cluster, database: str) -> list[str]:
    """Return the tables of the revisions that are applied."""
    return [name for name in relations(cluster, database) if name.startswith("t_")]


@pytest.mark.parametrize(
    ("graph", "target", "left"),
    [
        (MERGED, "d1", "a1 b1 c1 d1"),
        (MERGED, "b1", "a1 b1"),
        (MERGED, "a1", "a1"),
        (MERGED, "base", ""),
        (BRANCHED, "b1", "a1 b1"),
        (BRANCHED, "c1", "a1 c1"),
        (BRANCHED, "a1", "a1"),
        (SEPARATE, "x2", "x1 x2"),
        (SEPARATE, "y1", "y1"),
    ],
)
def test_to_a_target(
    tmp_path: Path,
    cluster: Cluster,
    database: str,
    graph: Graph,
    target: str,
    left: str,
) -> None:
    """What is left is the target with all that it stands on."""
    theirs = written(Theirs(tmp_path, cluster, database), graph)
    migrate(theirs.boot)
    migrate(replace(theirs.boot, schema=SchemaPolicy(target, rollback=True)))
    expected = left.split()
    assert revisions(cluster, database) == ([] if target == "base" else [target])
    assert made(cluster, database) == [f"t_{revision}" for revision in expected]


@pytest.mark.parametrize(
    ("graph", "target", "left", "rows"),
    [
        (MERGED, "d1", "a1 b1 c1 d1", "d1"),
        (MERGED, "b1", "a1 b1 c1", "b1 c1"),
        (MERGED, "a1", "a1", "a1"),
        (MERGED, "base", "", ""),
        (BRANCHED, "b1", "a1 b1 c1 c2", "b1 c2"),
        (BRANCHED, "c1", "a1 b1 c1", "b1 c1"),
        (BRANCHED, "c1,a1", "a1 b1 c1", "b1 c1"),
        (BRANCHED, "a1", "a1", "a1"),
        (SEPARATE, "y1", "x1 x2 y1", "x2 y1"),
    ],
)
def test_to_the_target_of_a_rollback(
    tmp_path: Path,
    cluster: Cluster,
    database: str,
    graph: Graph,
    target: str,
    left: str,
    rows: str,
) -> None:
    """`inv rollback --target` takes back what stands on the target: other branches stay."""
    theirs = written(Theirs(tmp_path, cluster, database), graph)
    migrate(theirs.boot)
    boot = replace(theirs.boot, schema=SchemaPolicy(target, rollback=True))
    boot, _ = preview_down_to_target(boot)
    migrate(boot)
    assert revisions(cluster, database) == rows.split()
    assert made(cluster, database) == [f"t_{revision}" for revision in left.split()]


def test_several_revisions_as_a_target(tmp_path: Path, cluster: Cluster, database: str) -> None:
    """A start with the target that a rollback has left stays there, and goes up to it as well."""
    theirs = written(Theirs(tmp_path, cluster, database), MERGED)
    for target, rows in (("c1,b1", ["b1", "c1"]), ("e1", ["e1"])):
        migrate(replace(theirs.boot, schema=SchemaPolicy(target)))
        assert revisions(cluster, database) == rows
    migrate(replace(theirs.boot, schema=SchemaPolicy("b1,c1", rollback=True)))
    assert revisions(cluster, database) == ["b1", "c1"]


def test_one_step_each_time(tmp_path: Path, cluster: Cluster, database: str) -> None:
    """It is decided by where the database is now, down to base."""
    theirs = Theirs(tmp_path, cluster, database)
    for revision, parent in {"a1": None, "a2": "a1", "a3": "a2"}.items():
        theirs.project.revision(revision, parent)
    migrate(theirs.boot)
    for expected in (["a2"], ["a1"], [], []):
        boot, found = preview_one_step_down(theirs.boot)
        assert found.plan.refusal is None
        migrate(boot)
        assert revisions(cluster, database) == expected


def test_no_step_down(tmp_path: Path, cluster: Cluster, database: str) -> None:
    """What has no revision below is refused as it is by every other task."""
    theirs = Theirs(tmp_path, cluster, database)
    theirs.project.revision("a1")
    cluster.execute("CREATE TABLE by_hand ()", database)
    with pytest.raises(SchemaUnmanagedError):
        preview_one_step_down(theirs.boot)
    cluster.execute("DROP TABLE by_hand", database)
    theirs.project.revision("a2", "a1")
    migrate(theirs.boot)
    (theirs.project.versions / "a2_test.py").unlink()
    with pytest.raises(SchemaAheadError, match=r"a2 was applied .* Deploy the release"):
        preview_one_step_down(theirs.boot)


def test_an_upgrade_is_edited_taken_back_and_applied_again(
    tmp_path: Path, cluster: Cluster, database: str
) -> None:
    """The everyday way in development: the file's downgrade still undoes what was applied."""
    theirs = Theirs(tmp_path, cluster, database)
    theirs.project.revision("a1")
    theirs.project.revision("a2", "a1")
    policy = SchemaPolicy(disposal="run `rm -r data`")
    boot = replace(theirs.boot, schema=policy)
    migrate(boot)
    theirs.project.revision("a2", "a1", 'op.execute("CREATE TABLE t_a2 (name text)")')
    with pytest.raises(HistoryBrokenError):
        migrate(boot)
    down, found = preview_one_step_down(boot)
    assert found.plan.warnings
    migrate(down)
    migrate(boot)
    assert cluster.query("SELECT name FROM t_a2", database) == []


def test_a_moved_revision_never_leads_to_a_parent_that_was_not_applied(
    tmp_path: Path, cluster: Cluster, database: str
) -> None:
    """After a rebase the file stands on another branch's revision."""
    theirs = Theirs(tmp_path, cluster, database)
    theirs.project.revision("a1")
    theirs.project.revision("b1", "a1")
    boot = replace(theirs.boot, schema=SchemaPolicy(disposal="run `rm -r data`"))
    migrate(boot)
    theirs.project.revision("c1", "a1")
    theirs.project.revision("b1", "c1")
    with pytest.raises(HistoryBrokenError, match="was moved after it was applied"):
        migrate(boot)
    _, found = preview_one_step_down(boot)
    assert isinstance(found.plan.refusal, HistoryBrokenError)
    assert revisions(cluster, database) == ["b1"]


def test_the_way_back_from_a_merge_works_as_it_is_typed(
    tmp_path: Path, cluster: Cluster, database: str
) -> None:
    """The target that the refusal names is one that the branch with the file can go down to."""
    theirs = Theirs(tmp_path, cluster, database)
    for revision, parents in list(MERGED.items())[:4]:
        theirs.project.revision(revision, parents)
    policy = SchemaPolicy("heads", disposal="run `rm -r data`")
    boot = replace(theirs.boot, schema=policy)
    migrate(boot)
    merge = theirs.project.versions / "d1_test.py"
    text = merge.read_text()
    merge.unlink()
    with pytest.raises(SchemaAheadError, match=r"`inv rollback --target c1`"):
        preview_one_step_down(boot)
    merge.write_text(text)
    migrate(replace(boot, schema=replace(policy, target="c1", rollback=True)))
    merge.unlink()
    migrate(boot)
    assert revisions(cluster, database) == ["b1", "c1"]


def test_what_was_not_shown_stays(
    tmp_path: Path,
    cluster: Cluster,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another starter applies a revision while the question stands on the terminal."""
    theirs = Theirs(tmp_path, cluster, database)
    theirs.project.revision("a1")
    theirs.project.revision("b1", "a1")
    migrate(theirs.boot)

    def answer_late() -> str:
        theirs.project.revision("c1", "b1")
        migrate(theirs.boot)
        return "y"

    monkeypatch.setattr("builtins.input", answer_late)
    with pytest.raises(SchemaPastError, match=r"the steps would be c1 .*, b1 ") as caught:
        roll_back(theirs.boot, is_one_step=True, is_agreed=False)
    assert "Nothing was changed." in str(caught.value)
    assert revisions(cluster, database) == ["c1"]

    monkeypatch.setattr("builtins.input", lambda: "y")
    roll_back(theirs.boot, is_one_step=True, is_agreed=False)
    assert revisions(cluster, database) == ["b1"]


@pytest.mark.parametrize(("target", "typed"), [(None, ""), ("base", "--target base ")])
def test_nobody_answers(
    tmp_path: Path,
    cluster: Cluster,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    target: str | None,
    typed: str,
) -> None:
    """The advice is a whole command, which can be typed after `make rollback` too."""
    theirs = Theirs(tmp_path, cluster, database)
    theirs.project.revision("a1")
    migrate(theirs.boot)
    boot = replace(theirs.boot, schema=SchemaPolicy(target, rollback=True))

    def end() -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", end)
    with pytest.raises(ConfigurationError) as caught:
        roll_back(boot, is_one_step=target is None, is_agreed=False)
    assert caught.value.advice == f"Type `{as_typed(f'rollback {typed}--yes')}`."


def test_a_long_way_down_reads_the_journal_once(
    tmp_path: Path, cluster: Cluster, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have thousands of rows, and no revision of an older history is among them."""
    theirs = Theirs(tmp_path, cluster, database)
    for number in range(5):
        theirs.project.revision(f"r{number}", f"r{number - 1}" if number else None)
    migrate(theirs.boot)
    reads = []
    applied = Journal.applied

    def counted(journal: Journal, connection: Connection) -> tuple[Applied, ...]:
        reads.append(journal)
        return applied(journal, connection)

    monkeypatch.setattr(Journal, "applied", counted)
    migrate(replace(theirs.boot, schema=SchemaPolicy("base", rollback=True)))
    assert revisions(cluster, database) == []
    assert len(reads) == 1
