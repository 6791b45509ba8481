"""Which revisions a check goes down and up again, and what it says of the others: nothing."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from alembic_boot.checking.check import find_faults
from alembic_boot.checking.findings import Checked
from alembic_boot.checking.scope import merged
from alembic_boot.description import AlembicConfig, BootDescription
from alembic_boot.environment.opening import open_project
from alembic_boot.errors import ConfigurationError
from tests.boot.adoption.unmanaged import described
from tests.boot.in_process import Theirs, migrating, theirs
from tests.cluster import Cluster
from tests.scenarios.process import ForeignProject


def git(folder: Path, *arguments: str) -> None:
    me = ("-c", "user.name=me", "-c", "user.email=me@localhost")
    subprocess.run(("git", "-C", str(folder), *me, *arguments), check=True, capture_output=True)


def test_revisions_that_git_has(tmp_path: Path) -> None:
    """New files and edited ones are checked: committed on a branch, or not yet."""
    project = ForeignProject(tmp_path / "theirs")
    for revision, parent in {"a1": None, "b2": "a1", "c3": "b2"}.items():
        project.revision(revision, parent)
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")

    def found() -> tuple[str, tuple[str, ...]]:
        branch, ids = merged(open_project(AlembicConfig(project.config), None))
        return branch, tuple(sorted(ids))

    assert found() == ("main", ("a1", "b2", "c3"))
    git(tmp_path, "switch", "-q", "-c", "more")
    project.revision("d4", "c3")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "more")
    project.revision("e5", "d4")
    with next(project.versions.glob("*c3*")).open("a") as file:
        file.write("# edited\n")
    assert found() == ("main", ("a1", "b2"))


def test_no_git(tmp_path: Path) -> None:
    """Then nothing is known."""
    project = ForeignProject(tmp_path / "theirs")
    project.revision("a1")
    assert merged(open_project(AlembicConfig(project.config), None)) == ("", ())


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
    assert str(since).endswith("it goes up; 1 of 2 revisions went down and up again.")
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
