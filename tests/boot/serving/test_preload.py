"""What serving needs is imported while the database is waited for, and fails nobody who waits."""

import sys
import threading
from pathlib import Path

import pytest

from alembic_boot.serving.application import importing


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder that modules are imported from, and forgotten at the end."""
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("slow_library", "broken_library", "next_library"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def test_meanwhile(modules: Path) -> None:
    """The block runs while the import does; behind it, the import is done."""
    (modules / "slow_library.py").write_text(
        "import threading, sys\nthreading.gate.wait(30)\nthread = threading.current_thread().name\n"
    )
    gate = threading.Event()
    vars(threading)["gate"] = gate
    try:
        with importing("slow_library"):
            assert not hasattr(sys.modules.get("slow_library"), "thread")
            gate.set()
    finally:
        gate.set()
        del vars(threading)["gate"]
    assert sys.modules["slow_library"].thread == "importer"


def test_earlier(modules: Path) -> None:
    """Who imports something else in the block can have this done before."""
    (modules / "next_library.py").write_text("")
    with importing("next_library") as finish:
        finish()
        assert "next_library" in sys.modules


@pytest.mark.parametrize("text", ["raise ValueError('broken')", "import nowhere", "("])
def test_what_cannot_be_imported(modules: Path, text: str) -> None:
    """It is left to whoever needs it, and gets the same error there."""
    (modules / "broken_library.py").write_text(text)
    with importing("broken_library", "json"):
        pass
    assert "broken_library" not in sys.modules
    with pytest.raises((ValueError, ImportError, SyntaxError)):
        __import__("broken_library")


def test_a_failure_meanwhile(modules: Path) -> None:
    """What fails in the block fails as it would alone."""
    (modules / "next_library.py").write_text("")
    with pytest.raises(KeyError, match="block"), importing("next_library"):
        raise KeyError("block")
