"""What CI calls, with programs that only note how they are called."""

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cluster import DEBIAN
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]

# Else the script would install it.
pytestmark = pytest.mark.skipif(
    not (DEBIAN[15] / "initdb").exists(), reason="postgresql-15 is missing"
)

MAKE = """\
#!/bin/bash
echo "make $*" >> calls
if [ "$1" = install ]; then mkdir -p .venv/bin && cp programs/inv .venv/bin/inv; fi
if [ "$1" = test ]; then
  if [ -e slow ]; then
    trap 'echo "tests: Ctrl-C" >> calls; exit 2' INT
    echo "tests: begun" >> calls
    while true; do /bin/sleep 0.05; done
  fi
  exit "$(cat failing 2> /dev/null || echo 0)"
fi
"""

INV = """\
#!/bin/bash
echo "inv $*" >> calls
echo "$* is what it says"
exit "$(cat "$1.fails" 2> /dev/null || echo 0)"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the script, on a machine where nothing is missing."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    nothing = "#!/bin/sh\n"
    others = dict.fromkeys(
        ("docker", "docker-compose", "pgbouncer", "kubectl", "chromium", "chromedriver", "npm"),
        nothing,
    )
    for name, text in {"make": MAKE, "inv": INV, **others}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    return tmp_path


def started(folder: Path, *arguments: str, before: Sequence[str] = ()) -> subprocess.Popen[str]:
    path = f"{folder / 'programs'}:/usr/bin:/bin"
    return subprocess.Popen(
        [*before, folder / ".ci" / "run", *arguments],
        env={"PATH": path, "HOME": os.environ.get("HOME", "/")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines()


def test_everything_runs(folder: Path) -> None:
    """The tests are those of plain `make test`."""
    with started(folder) as script:
        said, _ = script.communicate()
    assert script.returncode == 0, said
    assert said.startswith("Setting up, lint, image and tests: about ")
    first, *beside, last = calls(folder)
    assert (first, last) == ("make install", "make test")
    assert sorted(beside) == ["inv ci.image", "inv ci.lint"]
    assert "ci.lint is what it says" not in said


@pytest.mark.parametrize(
    ("file", "status"), [("ci.image.fails", 3), ("ci.lint.fails", 4), ("failing", 5)]
)
def test_one_that_fails_hides_no_other(folder: Path, file: str, status: int) -> None:
    (folder / file).write_text(str(status))
    with started(folder) as script:
        said, _ = script.communicate()
    assert script.returncode == status, said
    assert len(calls(folder)) == 4
    assert ("ci.lint is what it says" in said) == (file == "ci.lint.fails")


@pytest.mark.parametrize("before", [(), ("env", "--ignore-signal=INT")])
def test_a_stop_is_a_ctrl_c_for_the_tests(folder: Path, before: tuple[str, ...]) -> None:
    """Also in the background of a shell, which ignores a Ctrl-C."""
    (folder / "slow").touch()
    with started(folder, before=before) as script:
        wait_until(lambda: (folder / "calls").exists() and "tests: begun" in calls(folder))
        script.send_signal(signal.SIGTERM)
        said, _ = script.communicate(timeout=30)
    assert script.returncode == 143, said
    assert calls(folder)[-1] == "tests: Ctrl-C"


def test_benchmarks(folder: Path) -> None:
    with started(folder, "bench") as script:
        script.communicate()
    assert script.returncode == 0
    assert calls(folder) == ["make install", "inv ci.bench"]


def test_anything_else_is_refused(folder: Path) -> None:
    with started(folder, "tests") as script:
        said, _ = script.communicate()
    assert (script.returncode, said) == (2, "Usage: .ci/run [bench]\n")
