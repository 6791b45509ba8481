"""What holds for every revision, those to come included."""

import ast
import importlib.util
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory

from tests.migrations.project import ROOT

SCRIPTS = ScriptDirectory.from_config(Config(ROOT / "alembic.ini"))
HISTORY = list(SCRIPTS.walk_revisions())[::-1]

every_revision = pytest.mark.parametrize("script", HISTORY, ids=lambda script: script.revision)


def test_the_history_is_one_line() -> None:
    """There is one base, one head, and no branch between them."""
    assert len(HISTORY) >= 8
    assert [None, *(script.revision for script in HISTORY[:-1])] == [
        script.down_revision for script in HISTORY
    ]


@every_revision
def test_phase_is_decided(script: Script) -> None:
    """Each revision says whether the code released before it still works."""
    assert script.module.phase in {"expand", "contract"}


def test_phases_are_true() -> None:
    """What renames, drops or narrows is a contract revision."""
    assert [script.revision for script in HISTORY[:8] if script.module.phase == "contract"] == [
        "003",
        "004",
        "006",
        "007",
    ]


@every_revision
def test_revision_is_frozen(script: Script) -> None:
    """A revision uses nothing of the application, which goes on while history stands still."""
    tree = ast.parse(Path(script.path).read_text())
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= {"alembic", "collections", "sqlalchemy"}


@every_revision
def test_file_is_named_after_the_revision(script: Script) -> None:
    """The folder lists the history in its order."""
    assert Path(script.path).name.startswith(f"{script.revision}_")


def test_the_folder_does_not_hide_the_library() -> None:
    """With an __init__.py in it, `import alembic` would find the folder."""
    assert list((ROOT / "alembic").rglob("__init__.py")) == []


def test_a_new_revision_asks_for_its_phase(tmp_path: Path) -> None:
    """The template is valid Python, and cautious until its author has decided."""
    (tmp_path / "versions").mkdir()
    for name in ("env.py", "script.py.mako"):
        (tmp_path / name).write_text((ROOT / "alembic" / name).read_text())
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(tmp_path))

    script = command.revision(config, "Say hello", rev_id="001")

    assert isinstance(script, Script)
    path = Path(script.path)
    assert path.name == "001_say_hello.py"
    assert "# Decide:" in path.read_text()
    spec = importlib.util.spec_from_file_location("revision_001", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.phase == "contract"
    assert module.__doc__ == "Say hello."
