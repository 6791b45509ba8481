"""How make sets `.venv` up, with programs that only note how they are called."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

PYTHON = """\
#!/bin/sh
echo "python $*" >> calls
[ "$2" != venv ] || { mkdir -p "$3/bin" && cp "$0" "$3/bin/python"; }
"""
UV = '#!/bin/sh\necho "uv $*" >> calls\n'

FROM_PIP = "python -m pip --disable-pip-version-check install"
FROM_UV = "uv pip install --python .venv/bin/python"
HASHED = "--quiet --no-deps --require-hashes -r requirements-dev.txt"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the Makefile, and a Python that installs nothing."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "requirements-dev.txt").touch()
    (tmp_path / "programs").mkdir()
    add_program(tmp_path, "python3", PYTHON)
    return tmp_path


def add_program(folder: Path, name: str, text: str) -> None:
    path = folder / "programs" / name
    path.write_text(text)
    path.chmod(0o755)


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Not the PATH of the caller: a real uv may be there.
    path = f"{folder / 'programs'}:/usr/bin:/bin"
    return subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env={"PATH": path, "HOME": os.environ.get("HOME", "/")},
        capture_output=True,
        text=True,
        check=False,
    )


def calls(folder: Path) -> list[str]:
    """Return how the programs were called, without the look at Python's version."""
    lines = (folder / "calls").read_text().splitlines()
    return [line for line in lines if not line.startswith("python -c")]


def test_pip_installs_what_has_the_right_hash(folder: Path) -> None:
    finished = make(folder, "UV=", "install")
    assert finished.returncode == 0, finished.stderr
    assert calls(folder) == ["python -m venv .venv", f"{FROM_PIP} {HASHED}"]


def test_uv_installs_what_has_the_right_hash(folder: Path) -> None:
    """It is taken where it is installed."""
    add_program(folder, "uv", UV)
    finished = make(folder, "install")
    assert finished.returncode == 0, finished.stderr
    [environment, installed] = calls(folder)
    assert environment == "python -m venv .venv"
    assert installed == f"{FROM_UV} {HASHED}"


def test_another_tools_environment_is_left_alone(folder: Path) -> None:
    """The sentence says what to do, and the target does not run."""
    theirs = folder / ".venv" / "theirs"
    theirs.parent.mkdir()
    theirs.touch()
    finished = make(folder, "start")
    assert finished.returncode != 0
    assert "Another tool made .venv, so make leaves it alone. Move it away" in finished.stderr
    assert theirs.exists()
    assert calls(folder) == []


@pytest.mark.parametrize("mark", [".made-by-make", ".installed"])
def test_an_environment_of_our_own_is_made_again(folder: Path, mark: str) -> None:
    """It may have been cut short, or belong to another place."""
    stale = folder / ".venv" / "stale"
    stale.parent.mkdir()
    stale.touch()
    (folder / ".venv" / mark).touch()
    finished = make(folder, "UV=", "install")
    assert finished.returncode == 0, finished.stderr
    assert not stale.exists()
    assert (folder / ".venv" / ".installed").exists()


# Installs one package, and goes on until the line about it can have been written.
SLOW_UV = """\
#!/bin/sh
mkdir -p .venv/lib/python3/site-packages/one.dist-info
sleep {seconds}
exit {status}
"""


@pytest.mark.slow  # a log gets its first line after ten seconds
def test_a_log_shows_the_progress(folder: Path) -> None:
    """A line every ten seconds, so that a log has few of them."""
    (folder / "requirements-dev.txt").write_text("one==1\ntwo==2\n")
    add_program(folder, "uv", SLOW_UV.format(seconds=12, status=0))
    finished = make(folder, "install")
    assert finished.returncode == 0, finished.stderr
    progress = [line for line in finished.stdout.splitlines() if " packages (" in line]
    assert len(progress) == 1
    assert re.fullmatch(r"Installed 1 of 2 packages \(10 s\)", progress[0])


@pytest.mark.slow  # waits for a second
def test_a_terminal_shows_the_progress(folder: Path) -> None:
    """One line changes every second, and is gone at the end."""
    (folder / "requirements-dev.txt").write_text("one==1\ntwo==2\n")
    add_program(folder, "uv", SLOW_UV.format(seconds=3, status=0))
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        ["make", "install"],
        cwd=folder,
        env={"PATH": f"{folder / 'programs'}:/usr/bin:/bin", "HOME": "/"},
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    assert process.wait(60) == 0
    said = os.read(ours, 65536).decode()
    os.close(ours)
    assert "\r\x1b[KInstalled 1 of 2 packages (1 s)" in said
    assert said.endswith("\r\x1b[K")


def test_an_install_that_fails(folder: Path) -> None:
    """The failure is make's own, and the environment counts as unfinished."""
    add_program(folder, "uv", SLOW_UV.format(seconds=0, status=3))
    finished = make(folder, "install")
    assert finished.returncode == 2
    assert not (folder / ".venv" / ".installed").exists()
