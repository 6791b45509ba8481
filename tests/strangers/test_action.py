"""What GitHub runs for another project: the shell of action.yml, and the hook for pre-commit."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.scenarios.process import ROOT
from tests.strangers.environments import SURROUNDINGS
from tests.strangers.layouts import BROKEN, LAYOUTS, MakeStranger, Stranger

pytestmark = pytest.mark.slow

STEPS = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["runs"]["steps"]


def check(theirs: Stranger, folder: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run the step that checks, as the runner does."""
    given = {"PYTHON": str(theirs.environment.python), "SINCE": "", "OPTIONS": "", **inputs}
    places = {
        "RUNNER_TEMP": str(folder),
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        "GITHUB_WORKSPACE": str(folder),
    }
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", STEPS[-1]["run"]],
        cwd=theirs.folder,
        env={
            **SURROUNDINGS,
            **theirs.variables,
            **places,
            **given,
            "GITHUB_WORKSPACE": str(folder),
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_findings_are_annotations_and_a_summary(stranger: MakeStranger, tmp_path: Path) -> None:
    [layout] = [it for it in LAYOUTS if it.project == "two_histories"]
    theirs = stranger(layout)
    options = " ".join(layout.options)
    sound = check(theirs, tmp_path, OPTIONS=options)
    assert sound.returncode == 0, sound
    summary = tmp_path / "summary.md"
    assert "The history is sound" in summary.read_text()

    broken = BROKEN.format(below="b6f5e4d3c2b1")
    (theirs.folder / layout.versions / "broken.py").write_text(broken)
    found = check(theirs, tmp_path, OPTIONS=options, SINCE="b6f5e4d3c2b1")
    assert found.returncode == 9, found
    file = re.escape(f"project/{layout.versions}/broken.py")
    assert re.search(rf"^::error title=[^,]+,file={file},line=\d+::.*not_there", found.stdout, re.M)
    assert "\n- On the way up: " in summary.read_text()
    assert "The history fails 1 check." in summary.read_text()


def test_no_input_becomes_a_part_of_the_shell() -> None:
    assert [step["name"] for step in STEPS if "${{" in step["run"]] == []


def test_the_hook_is_a_command_of_the_wheel() -> None:
    [hook] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert hook["entry"] == "alembic-boot check"
    assert all(re.search(hook["files"], f"{it.versions}/one.py") for it in LAYOUTS)
