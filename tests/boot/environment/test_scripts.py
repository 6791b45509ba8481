"""A history that is read by headers is the one that Alembic reads by importing every file."""

import os
import py_compile
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from hypothesis import given, settings, strategies as st

from alembic_boot.description import AlembicConfig
from alembic_boot.environment.opening import open_project, read_history
from alembic_boot.environment.project import Project
from alembic_boot.environment.scripts import leave_unloaded
from alembic_boot.errors import ConfigurationError, HistoryBrokenError
from alembic_boot.postgres.urls import parse_database_url
from tests.scenarios.process import ForeignProject

URL = parse_database_url("postgresql://nobody@127.0.0.1:1/nowhere")

PLAIN = '"""{title}."""\n\nrevision = {id!r}\ndown_revision = {parents!r}\n{more}'
TYPED = '"""{title}."""\nrevision: str = {id!r}\ndown_revision: str | None = {parents!r}\n{more}'
COMPUTED = '"""{title}."""\nrevision = "".join({id!r})\ndown_revision = {parents!r}\n{more}'
IN_A_DOCSTRING = (
    '"""{title}.\n\nrevision = "zz"\n"""\nrevision = {id!r}\ndown_revision = {parents!r}\n{more}'
)
CHOSEN = '"""{title}."""\nif True:\n    revision = {id!r}\ndown_revision = {parents!r}\n{more}'
STYLES = [PLAIN, TYPED, COMPUTED, IN_A_DOCSTRING, CHOSEN]


@pytest.fixture(autouse=True)
def _no_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of one name and size follow each other within a second."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


def scripts(folder: Path) -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(folder))
    return ScriptDirectory.from_config(config)


@st.composite
def files(draw: st.DrawFn) -> dict[str, str]:
    """Make any history as files: lines, branches, merges, bases, labels, dependencies, styles."""
    written: dict[str, str] = {}
    ids: list[str] = []
    labels: list[str] = []
    for index in range(draw(st.integers(1, 7))):
        id_ = f"r{index}"
        older = st.lists(st.sampled_from(ids), max_size=2, unique=True) if ids else st.just([])
        parents = draw(older)
        more = ""
        named = [it for it in draw(older) if it not in parents] + [
            it for it in labels if draw(st.booleans())
        ]
        if named:
            more += f"depends_on = {tuple(named)!r}\n"
        if draw(st.integers(0, 3)) == 0:
            labels.append(f"label{index}")
            more += f"branch_labels = {labels[-1]!r}\n"
        more += draw(st.sampled_from(["", "phase = 'expand'\n", "phase = 'con' 'tract'\n"]))
        style = draw(st.sampled_from(STYLES))
        shape = parents[0] if len(parents) == 1 else tuple(parents) or None
        name = draw(st.sampled_from([f"{id_}.py", f"z{9 - index}_{id_}.py"]))
        written[name] = style.format(title=f"Title of {id_}", id=id_, parents=shape, more=more)
        ids.append(id_)
    return written


@settings(max_examples=60, deadline=None)
@given(files())
def test_any_history(written: dict[str, str]) -> None:
    """Graph, titles, phases, labels and dependencies are the same; what Alembic refuses is, too."""
    with TemporaryDirectory() as folder:
        versions = Path(folder) / "versions"
        versions.mkdir()
        for name, source in written.items():
            (versions / name).write_text(source, encoding="utf-8")
        quick, plain = scripts(Path(folder)), scripts(Path(folder))
        leave_unloaded(quick)
        try:
            expected = read_history(plain)
        except HistoryBrokenError as refused:
            with pytest.raises(HistoryBrokenError, match="broken") as raised:
                read_history(quick)
            assert str(raised.value) == str(refused)
            return
        assert read_history(quick) == expected
        assert quick.get_heads() == plain.get_heads()


@pytest.fixture
def theirs(tmp_path: Path) -> ForeignProject:
    """Give a history of four revisions, each of which says when it is imported."""
    project = ForeignProject(tmp_path / "theirs")
    for id_, parent in (("a1", None), ("b2", "a1"), ("c3", "b2"), ("d4", "c3")):
        project.revision(id_, parent, constants=f"import marks\nmarks.imported.append({id_!r})")
        path = project.versions / f"{id_}_test.py"
        # A bare call would have Alembic import the file.
        text = path.read_text().replace(
            f"marks.imported.append({id_!r})", f"x = marks.note({id_!r})"
        )
        path.write_text(text)
    (project.folder / "marks.py").write_text(
        "imported = []\ndef note(it):\n    imported.append(it)\n"
    )
    return project


@pytest.fixture
def imported(theirs: ForeignProject, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sequence[str]]:
    """Give the revisions that were imported so far."""
    monkeypatch.syspath_prepend(str(theirs.folder))
    import marks  # type: ignore[import-not-found]

    yield marks.imported
    sys.modules.pop("marks")


def opened(theirs: ForeignProject) -> Project:
    return open_project(AlembicConfig(theirs.config), URL)


def test_only_what_is_to_run_is_imported(theirs: ForeignProject, imported: Sequence[str]) -> None:
    """The others are placed by their headers."""
    project = opened(theirs)
    assert project.history.heads == ("d4",)
    assert project.history.label("b2") == "b2 Foreign b2"
    assert list(imported) == []
    project.load(["d4", "c3"])
    assert list(imported) == ["c3", "d4"]


@pytest.mark.usefixtures("imported")
def test_a_file_that_changes_its_header(theirs: ForeignProject) -> None:
    """What its import comes to is not what was decided about, so it must not run."""
    path = theirs.versions / "d4_test.py"
    path.write_text(path.read_text() + "\nx = marks.change()\n")
    (theirs.folder / "marks.py").write_text(
        "import sys\n"
        "def note(it): ...\n"
        "def change():\n    sys._getframe(1).f_globals.update(down_revision='a1')\n"
    )
    del sys.modules["marks"]
    project = opened(theirs)
    with pytest.raises(HistoryBrokenError, match=r"d4_test\.py changes its own down_revision"):
        project.load(["d4"])


@pytest.mark.usefixtures("imported")
def test_a_file_that_is_changed_meanwhile(theirs: ForeignProject) -> None:
    """What is imported must be what was read, whose hash the journal gets."""
    project = opened(theirs)
    assert project.history.heads == ("d4",)
    path = theirs.versions / "d4_test.py"
    path.write_text(path.read_text() + "\nx = 1\n")
    with pytest.raises(HistoryBrokenError, match=r"d4_test\.py was changed while the history was"):
        project.load(["d4"])


@pytest.mark.usefixtures("imported")
def test_a_compiled_file_of_the_content_before(theirs: ForeignProject) -> None:
    """Python takes it for the present one if the source has the same second and size."""
    path = theirs.versions / "d4_test.py"
    path.write_text(path.read_text() + "\nx = 1\n")
    py_compile.compile(str(path))
    times = (path.stat().st_atime, path.stat().st_mtime)
    path.write_text(path.read_text().replace("x = 1", "x = 2"))
    os.utime(path, times)
    project = opened(theirs)
    project.load(["d4"])
    assert project.scripts.get_revision("d4").module.x == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def upgrade(:\n", r"d4_test\.py, line \d+"),
        ("x = 1 / 0\n", "ZeroDivisionError"),
        ("x = exit(3)\n", "SystemExit"),
        ("del upgrade\n", r"has no upgrade\(\)"),
        ("upgrade = 'up'\n", r"has no upgrade\(\)"),
    ],
)
def test_a_file_that_does_not_import(theirs: ForeignProject, text: str, expected: str) -> None:
    """It is refused before it is to run, and not while others run."""
    path = theirs.versions / "d4_test.py"
    path.write_text(path.read_text().replace("import marks\nx = marks.note('d4')", "") + text)
    with pytest.raises(HistoryBrokenError, match=expected):
        opened(theirs).load(["d4"])


def test_a_file_without_a_parent(theirs: ForeignProject) -> None:
    """The sentence names the file, and what to write into it."""
    path = theirs.versions / "d4_test.py"
    text = path.read_text().replace("import marks\nx = marks.note('d4')", "")
    path.write_text(text.replace("down_revision = 'c3'\n", ""))
    with pytest.raises(HistoryBrokenError) as caught:
        opened(theirs)
    assert str(caught.value) == (
        "The migration history is broken: d4_test.py has no down_revision. Write "
        '`down_revision = "…"` into the file, with the id of the revision before it, or '
        "`down_revision = None` if it is the first; the database was not touched."
    )


@pytest.mark.parametrize("line", ["x = object().down_revision", "import os; os.down_revision"])
def test_another_attribute_of_that_name(theirs: ForeignProject, line: str) -> None:
    """It is not said of the file what was true of something else."""
    path = theirs.versions / "d4_test.py"
    text = path.read_text().replace("import marks\nx = marks.note('d4')", "")
    path.write_text(f"{text}\n{line}\n")
    with pytest.raises(HistoryBrokenError, match="AttributeError"):
        opened(theirs).load(["d4"])


def test_a_package_that_is_missing(theirs: ForeignProject) -> None:
    """Nothing is wrong with the history then: the environment lacks the package."""
    path = theirs.versions / "d4_test.py"
    text = path.read_text().replace("import marks\nx = marks.note('d4')", "")
    path.write_text(f"import no_such_package\n{text}")
    with pytest.raises(ConfigurationError, match=r"d4_test\.py, line 1 needs the package no_such_"):
        opened(theirs).load(["d4"])


@pytest.mark.parametrize("setting", ["recursive_version_locations = true", "sourceless = true"])
def test_files_in_other_places(tmp_path: Path, setting: str) -> None:
    """Folders below, links, and files of other kinds are found as Alembic finds them."""
    ini = f"[alembic]\nscript_location = %(here)s/scripts\n{setting}\n"
    project = ForeignProject(tmp_path / "theirs", ini=ini)
    project.revision("a1")
    below = project.versions / "below"
    below.mkdir()
    project.revision("b2", "a1", folder=below)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    project.revision("c3", "a1", folder=elsewhere)
    (project.versions / "c3_link.py").symlink_to(elsewhere / "c3_test.py")
    for name in ("notes.txt", ".#a1_test.py", "__init__.py"):
        (project.versions / name).write_text("not = 'a revision'")
    (project.versions / "__pycache__").mkdir()
    quick = opened(project).history
    config = Config(str(project.config))
    assert quick == read_history(ScriptDirectory.from_config(config))
    assert "c3" in quick.revisions
