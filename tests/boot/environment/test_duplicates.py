"""An id that two files have: both are named, wherever they are."""

from pathlib import Path

import pytest

from alembic_boot.description import AlembicConfig
from alembic_boot.environment.opening import open_project
from alembic_boot.errors import HistoryBrokenError
from tests.scenarios.process import ForeignProject, write_revision


def refusal(config: Path) -> HistoryBrokenError:
    with pytest.raises(HistoryBrokenError) as caught:
        open_project(AlembicConfig(config), None)
    return caught.value


def test_both_files_are_named(tmp_path: Path) -> None:
    """The files of two branches, merged into one folder."""
    theirs = ForeignProject(tmp_path)
    theirs.revision("001")
    theirs.revision("002", "001")
    other = write_revision(theirs.versions, "002", "001").rename(theirs.versions / "002_b.py")
    theirs.revision("002", "001")
    assert refusal(theirs.config).what == (
        "The migration history is broken: the same id is there twice: 002 is in "
        f"{other} and in {theirs.versions / '002_test.py'}."
    )


def test_several_ids(tmp_path: Path) -> None:
    """Each id is named with its files; a copy of a file is such a case, too."""
    theirs = ForeignProject(tmp_path)
    for revision, parent in (("001", None), ("002", "001")):
        theirs.revision(revision, parent)
        path = theirs.versions / f"{revision}_test.py"
        path.with_name(f"{revision} copy.py").write_text(path.read_text())
    assert refusal(theirs.config).what.count(" and in ") == 2


def test_in_two_folders(tmp_path: Path) -> None:
    """A history may lie in several folders."""
    ini = """
    [alembic]
    script_location = %(here)s/scripts
    path_separator = space
    version_locations = %(here)s/scripts/versions %(here)s/more
    """
    theirs = ForeignProject(tmp_path, ini=ini)
    (tmp_path / "more").mkdir()
    theirs.revision("001")
    theirs.revision("001", folder=tmp_path / "more")
    found = refusal(theirs.config)
    assert f"{tmp_path / 'more' / '001_test.py'} and in " in found.what
    assert found.exit_status == 9


def test_a_parent_that_is_missing_is_said_as_such(tmp_path: Path) -> None:
    """That is another fault of a history."""
    theirs = ForeignProject(tmp_path)
    theirs.revision("002", "001")
    assert "001 referenced from" in refusal(theirs.config).what
