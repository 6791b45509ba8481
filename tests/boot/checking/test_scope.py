"""Which revisions a check goes down and up again, and what it says of the others: nothing."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from alembic_boot.checking import scope
from alembic_boot.checking.check import find_faults
from alembic_boot.checking.findings import Checked
from alembic_boot.checking.scope import Merged, left_alone, merged
from alembic_boot.commands import as_typed, program
from alembic_boot.description import AlembicConfig, BootDescription, SchemaPolicy
from alembic_boot.environment.opening import open_project
from alembic_boot.errors import ConfigurationError
from alembic_boot.history.history import History, Revision
from tests.boot.adoption.unmanaged import described
from tests.boot.in_process import Theirs, migrating, theirs
from tests.cluster import Cluster
from tests.scenarios.process import ForeignProject


def git(folder: Path, *arguments: str) -> None:
    me = ("-c", "user.name=me", "-c", "user.email=me@localhost")
    subprocess.run(("git", "-C", str(folder), *me, *arguments), check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path) -> ForeignProject:
    """Give a history of three revisions in git, in a commit of its own each."""
    project = ForeignProject(tmp_path / "theirs")
    git(tmp_path, "init", "-q", "-b", "main")
    for revision, parent in {"a1": None, "b2": "a1", "c3": "b2"}.items():
        project.revision(revision, parent)
        commit(project, revision)
    return project


def commit(project: ForeignProject, message: str) -> None:
    git(project.folder, "add", "--all")
    git(project.folder, "commit", "-q", "-m", message)


def edit(project: ForeignProject, revision: str) -> None:
    with next(project.versions.glob(f"*{revision}*.py")).open("a") as file:
        file.write("# edited\n")


def found(folder: Path) -> tuple[str, str]:
    """Return where the merged revisions are, and their ids."""
    merged_ = merged(open_project(AlembicConfig(folder / "alembic.ini"), None))
    assert merged_ is not None
    return merged_.where, " ".join(sorted(merged_.revisions))


def test_revisions_of_a_branch(project: ForeignProject) -> None:
    """New files and edited ones are checked: committed, pushed, or neither."""
    git(project.folder, "switch", "-q", "-c", "more")
    project.revision("d4", "c3")
    commit(project, "more")
    assert found(project.folder) == ("main", "a1 b2 c3")
    project.revision("e5", "d4")
    edit(project, "c3")
    assert found(project.folder) == ("main", "a1 b2")
    commit(project, "edited")
    git(project.folder, "clone", "-q", "--bare", "..", "../origin")
    git(project.folder, "remote", "add", "origin", str(project.folder.parent / "origin"))
    git(project.folder, "push", "-q", "-u", "origin", "more")
    assert found(project.folder) == ("main", "a1 b2")
    git(project.folder, "fetch", "-q")
    assert found(project.folder) == ("origin/main", "a1 b2")


def test_revisions_of_the_default_branch(project: ForeignProject) -> None:
    """The last commit is checked; if there is only one, all revisions are."""
    assert found(project.folder) == ("the commit before", "a1 b2")
    git(project.folder, "clone", "-q", "--depth", "1", f"file://{project.folder.parent}", "../few")
    assert found(project.folder.parent / "few" / "theirs") == ("the commit before", "")


def test_names_that_git_prints_in_other_ways(project: ForeignProject) -> None:
    """Settings of git, and names that are not UTF-8, change nothing."""
    git(project.folder, "config", "diff.relative", "true")
    (project.versions / os.fsdecode(b"\xff")).touch()
    edit(project, "b2")
    assert found(project.folder) == ("the commit before", "a1")


def test_no_git(tmp_path: Path) -> None:
    """Then nothing is known."""
    project = ForeignProject(tmp_path / "theirs")
    project.revision("a1")
    assert merged(open_project(AlembicConfig(project.config), None)) is None


@pytest.mark.parametrize(
    ("journal", "merged_", "alone"),
    [
        ("", None, ""),
        ("c3", None, "a1 b2 c3"),  # the journal began in the middle
        ("", "a1 c3 d4", "a1"),  # b2 was edited: what is above it is checked, too
        ("a1 b2 c3 d4", "a1 b2", "a1 b2"),  # applied here, and not merged
        ("a1", "a1 b2", "a1"),
        ("a1 b2", "", ""),  # the base is unknown
    ],
)
def test_what_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, journal: str, merged_: str | None, alone: str
) -> None:
    """Git decides about a changed revision, and the journal about one that is unchanged."""
    parents = {"a1": (), "b2": ("a1",), "c3": ("b2",), "d4": ("c3",)}
    history = History({id_: Revision(id_, below, id_) for id_, below in parents.items()})
    git_ = None if merged_ is None else Merged("main", frozenset(merged_.split()))
    monkeypatch.setattr(scope, "_journalled", lambda *_: journal.split())
    monkeypatch.setattr(scope, "merged", lambda _: git_)
    project: Any = SimpleNamespace(history=history)
    boot: Any = None
    assert left_alone(boot, project, None, every=False) == frozenset(alone.split())


Check = Callable[..., Checked]


@pytest.fixture
def their(tmp_path: Path, database_url: str) -> Theirs:
    """Give a history whose first revision leaves something behind."""
    their = theirs(tmp_path, database_url)
    their.project.revision("a1", None, "op.execute('CREATE TABLE t ()')", "op.execute('SELECT 1')")
    their.project.revision("b2", "a1")
    return their


@pytest.fixture
def boot(their: Theirs, cluster: Cluster, database: str) -> BootDescription:
    """Give its description."""
    boot = described(cluster, database)
    return replace(boot, alembic_config=AlembicConfig(their.project.config))


@pytest.mark.slow
def test_an_old_history_is_let_alone(their: Theirs, boot: BootDescription) -> None:
    """By a revision, or by the journal; nothing known means all."""
    assert find_faults(boot).findings[0].revision == "a1"
    since = find_faults(boot, "a1")
    assert (since.findings, since.checked, since.total) == ((), ("b2",), 2)
    assert str(since).endswith(
        "it goes up; 1 of 2 revisions went down and up again. To check all, run "
        f"`{as_typed(program().check_all)}`."
    )
    assert find_faults(boot, "head").checked == ()
    with pytest.raises(ConfigurationError):
        find_faults(boot, "nowhere")
    their.run(migrating, MIGRATION_TARGET="a1").assert_ok()
    assert find_faults(boot) == since
    assert find_faults(boot, every=True).findings


@pytest.mark.slow
def test_findings_have_a_place(their: Theirs, boot: BootDescription) -> None:
    """An annotation needs a file and a line; the check goes on after a broken downgrade."""
    their.project.revision("c3", "b2", downgrade="raise RuntimeError('no way back')")
    their.project.revision("d4", "c3", downgrade="pass")
    # a1 stops a check of everything: its upgrade does not go over what it has left behind.
    checked = find_faults(boot, "a1")
    failed, left, *_ = checked.findings
    assert (failed.revision, failed.kind.value, left.revision) == ("c3", "downgrade", "d4")
    assert left.text.startswith("d4 leaves behind on its way down: ")
    file = Path(str(left.file))
    assert file.read_text().splitlines()[int(left.line or 0) - 1].startswith("def downgrade")
    line = list(checked.as_github(their.project.folder))[1]
    place = f"file=scripts/versions/{file.name},line={left.line}"
    assert line == f"::error title=alembic-boot%3A downgrade,{place}::{left.text}"
    assert checked.as_json()["findings"][1]["kind"] == "downgrade"


@pytest.mark.slow
def test_a_downgrade_that_is_declared_empty(
    their: Theirs, cluster: Cluster, boot: BootDescription, database: str
) -> None:
    """It may leave something behind, and a rollback goes through it; a false one is found."""
    again = "op.execute('CREATE TABLE IF NOT EXISTS kept ()')"
    declared = 'downgrade_is_empty = "the table is of use to the old code"'
    their.project.revision("c3", "b2", again, "pass", constants=declared)
    assert find_faults(boot, "b2").findings == ()
    their.migrate().assert_ok()
    their.roll_back("b2").assert_ok()
    their.migrate().assert_ok()
    their.project.revision("d4", "c3", constants=declared)
    [found] = find_faults(boot, "c3").findings
    assert found.text == "d4 says downgrade_is_empty, and its downgrade() is not"


@pytest.mark.slow
def test_an_empty_downgrade_beside_another_branch(their: Theirs, boot: BootDescription) -> None:
    """It may leave behind what it made, and no other revision may."""
    again = "op.execute('CREATE TABLE IF NOT EXISTS kept ()')"
    lost = "op.execute('CREATE TABLE IF NOT EXISTS lost ()')"
    their.project.revision("c3", "a1", again, "pass", constants='downgrade_is_empty = "of use"')
    their.project.revision("d4", "b2", lost, "op.execute('SELECT 1')")
    boot = replace(boot, schema=SchemaPolicy("heads"))
    [found] = find_faults(boot, "a1").findings
    assert found.text.endswith("leaves behind on its way down: table lost is unexpected")
