"""A project that cannot be migrated is told at once, and not after the wait for its database."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from alembic_boot import BootDescription, actions
from alembic_boot.start import prepare
from tests.boot.in_process import Theirs, theirs
from tests.cluster import free_port
from tests.scenarios.process import Finished
from tests.waiting import LONG, soon


def _no_folder(project: Theirs) -> None:
    project.project.config.write_text("[alembic]\nscript_location = nowhere\n")


def _no_file(project: Theirs) -> None:
    project.project.config.unlink()


def _two_heads(project: Theirs) -> None:
    project.project.revision("b2", "a1")
    project.project.revision("c3", "a1")


def _no_parent(project: Theirs) -> None:
    project.project.revision("b2", "gone")


def _no_python(project: Theirs) -> None:
    (project.project.versions / "b2.py").write_text("revision = \n")


def _told_at_once(
    project: Theirs,
    task: Callable[[BootDescription], None],
    status: int,
    said: str,
    **variables: str,
) -> Finished:
    with soon():
        finished = project.run(task, **variables)
    assert (finished.status, said in finished.stderr[0]) == (status, True), finished
    return finished


@pytest.fixture
def project(tmp_path: Path) -> Theirs:
    """Give a project whose database does not answer."""
    nowhere = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    made = theirs(tmp_path, nowhere, DB_WAIT_TIMEOUT=str(LONG), SEED="false")
    made.project.revision("a1")
    return made


@pytest.mark.parametrize("task", [actions.migrate, prepare], ids=["migrate", "start"])
@pytest.mark.parametrize(
    ("spoil", "status", "said"),
    [
        (_no_file, 2, "does not exist"),
        (_no_folder, 2, "describes no Alembic project"),
        (_two_heads, 9, "2 heads"),
        (_no_parent, 9, "Revision gone referenced from"),
        (_no_python, 9, "b2.py, line 1"),
    ],
)
def test_it_is_told_at_once(
    project: Theirs,
    task: Callable[[BootDescription], None],
    spoil: Callable[[Theirs], None],
    status: int,
    said: str,
) -> None:
    spoil(project)
    _told_at_once(project, task, status, said, MIGRATE_ON_FAILURE="exit")


@pytest.mark.parametrize(
    "task",
    [
        actions.check,
        partial(actions.adopt, revision=None),
        partial(actions.write_revision, message="more"),
    ],
    ids=["check", "adopt", "revision"],
)
@pytest.mark.parametrize(
    ("spoil", "status", "said"),
    [(_no_folder, 2, "describes no Alembic project"), (_two_heads, 9, "2 heads")],
)
def test_other_commands_tell_it_as_they_would_later(
    project: Theirs,
    database_url: str,
    task: Callable[[BootDescription], None],
    spoil: Callable[[Theirs], None],
    status: int,
    said: str,
) -> None:
    spoil(project)
    finished = _told_at_once(project, task, status, said)
    later = project.run(task, DATABASE_URL=database_url)
    assert (later.status, later.stderr) == (finished.status, finished.stderr)


@pytest.mark.parametrize("revisions", [0, 1])
def test_a_revision_needs_no_sound_target(project: Theirs, revisions: int) -> None:
    """The first one is written for an empty history, and any one beside a wrong target."""
    if not revisions:
        next(project.project.versions.glob("*a1*.py")).unlink()
    writing = partial(actions.write_revision, message="more")
    finished = project.run(writing, MIGRATION_TARGET="nothing", DB_WAIT_TIMEOUT="0.2")
    assert finished.status == 3, finished


def test_a_start_that_would_go_on_waits(project: Theirs) -> None:
    """The application may be served with a history that is broken, on a database that answers."""
    _two_heads(project)
    finished = project.run(prepare, MIGRATE_ON_FAILURE="continue", DB_WAIT_TIMEOUT="0.2")
    assert finished.status == 3, finished


def test_no_revision_is_imported(project: Theirs, tmp_path: Path) -> None:
    """Its code runs when it is its turn, and not while there is no database."""
    ran = tmp_path / "ran"
    project.project.revision("b2", "a1", constants=f"file = open({str(ran)!r}, 'w')")
    finished = project.run(actions.migrate, DB_WAIT_TIMEOUT="0.2")
    assert (finished.status, ran.exists()) == (3, False), finished
