"""Joining the heads of a history: a file is written, and no database is asked."""

import re
import shutil
from pathlib import Path

import pytest

from alembic_boot.checking.new_revision import write_merge
from alembic_boot.description import AlembicConfig
from alembic_boot.environment.opening import open_project
from alembic_boot.errors import HistoryBrokenError
from tests.history import HEAD
from tests.scenarios.process import ForeignProject, write_revision

ROOT = Path(__file__).parents[3]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Give a copy of our history."""
    shutil.copytree(ROOT / "alembic", tmp_path / "alembic")
    return Path(shutil.copy(ROOT / "alembic.ini", tmp_path))


def test_two_heads(config: Path) -> None:
    """The revision has both as parents, its title, the next number, and changes nothing."""
    versions = config.parent / "alembic" / "versions"
    write_revision(versions, "901_aaaa", HEAD)
    write_revision(versions, "902_bbbb", HEAD)
    merged = write_merge(AlembicConfig(config), None, 'Nicknames "and" \\mottos, """too""".')
    assert merged.heads == ("901_aaaa", "902_bbbb")
    assert merged.path is not None
    assert re.fullmatch(r"903_\w{4}_nicknames_and_mottos_too\.py", Path(merged.path).name)
    assert str(merged) == f"Wrote {merged.path}: it joins 901_aaaa and 902_bbbb."
    history = open_project(AlembicConfig(config), None).history
    assert len(history.heads) == 1
    revision = history.revisions[history.heads[0]]
    assert revision.parents == ("901_aaaa", "902_bbbb")
    assert revision.title == 'Nicknames "and" \\mottos, """too"""'
    assert revision.is_expand
    text = Path(merged.path).read_text()
    assert "op." not in text.partition("def upgrade")[2]


def test_three_heads_of_another_project(tmp_path: Path) -> None:
    """Their ids stay as Alembic makes them."""
    theirs = ForeignProject(tmp_path)
    shutil.copy(ROOT / "alembic" / "script.py.mako", theirs.folder / "scripts")
    for revision, parent in {"a1": None, "b1": "a1", "b2": "a1", "b3": "a1"}.items():
        theirs.revision(revision, parent)
    merged = write_merge(AlembicConfig(theirs.config), None, "All of them")
    history = open_project(AlembicConfig(theirs.config), None).history
    assert re.fullmatch("[0-9a-f]{12}", history.heads[0])
    assert history.revisions[history.heads[0]].parents == merged.heads == ("b1", "b2", "b3")


def test_one_head(config: Path) -> None:
    """There is nothing to join, and nothing is written."""
    before = sorted((config.parent / "alembic" / "versions").iterdir())
    assert str(write_merge(AlembicConfig(config), None, "Both")) == (
        f"There is nothing to join: the history has one head, {HEAD}."
    )
    assert sorted((config.parent / "alembic" / "versions").iterdir()) == before


def test_no_template(tmp_path: Path) -> None:
    """A project that Alembic can write no file for is told so."""
    theirs = ForeignProject(tmp_path)
    for revision, parent in {"a1": None, "b1": "a1", "b2": "a1"}.items():
        theirs.revision(revision, parent)
    with pytest.raises(HistoryBrokenError) as caught:
        write_merge(AlembicConfig(theirs.config), None, "Both")
    assert caught.value.what.startswith("The revision could not be written: ")
    assert "script.py.mako" in caught.value.what
