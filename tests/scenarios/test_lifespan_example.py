"""The example of the Python API for a migration that fails in the lifespan of an application."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scenarios.process import DEADLINE, ROOT, ForeignProject

pytestmark = pytest.mark.slow


def test_a_failed_migration_ends_with_its_sentence(tmp_path: Path, database_url: str) -> None:
    """Also its exit status, and no traceback; Uvicorn is as it is without any tool."""
    page = (ROOT / "docs" / "python-api.md").read_text()
    [example] = [it for it in re.findall(r"```python\n(.*?)```", page, re.S) if "os._exit" in it]
    theirs = ForeignProject(tmp_path / "theirs", ini="[alembic]\nscript_location = scripts\n")
    theirs.revision("a1", upgrade='op.execute("SELECT nothing")')
    (theirs.folder / "shop.py").write_text(example)
    finished = subprocess.run(
        [sys.executable, "-m", "uvicorn", "shop:app", "--port", "0"],
        cwd=theirs.folder,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(theirs.folder)]),
            "DATABASE_URL": database_url,
        },
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    own = [it for it in finished.stderr.splitlines() if not it.startswith("INFO: ")]
    assert finished.returncode == 5, finished.stderr
    assert len(own) == 1
    assert own[0].startswith("Migration a1 Foreign a1 failed: ")
