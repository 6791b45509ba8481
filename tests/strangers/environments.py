"""The wheel of alembic-boot, and bare environments with it: made once, shared by the workers."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from tests.scenarios.process import ROOT

UV = Path(sys.executable).with_name("uv")

SURROUNDINGS = {
    name: text
    for name, text in os.environ.items()
    if name in ("PATH", "HOME", "TMPDIR", "LANG")
    or name.upper().endswith(("_PROXY", "CERT_FILE", "INDEX", "INDEX_URL"))
}
"""What of our environment a stranger's shell has: nothing that names a database."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment of somebody's own."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.program("python")

    def program(self, name: str) -> Path:
        """Return the path of a program in it."""
        return self.folder / "bin" / name


def uv(*arguments: str | Path, cwd: Path = ROOT) -> str:
    """Run uv to its end, and return its stdout. Without a network the test is skipped; CI fails."""
    finished = subprocess.run(
        [UV, *arguments],
        cwd=cwd,
        env=SURROUNDINGS,
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode != 0:
        end = pytest.fail if os.environ.get("CI") else pytest.skip
        end(f"uv {' '.join(map(str, arguments[:3]))} failed: {finished.stderr.strip()[-2000:]}")
    return finished.stdout


def copy_of_the_repository(folder: Path) -> Path:
    """Copy what git has, or would add, so that nothing that lies around is packed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if name.startswith(("tests/", "docs/")) or not (ROOT / name).exists():
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


def build(folder: Path) -> Path:
    """Build the wheel into a folder, from a clean copy; return its path."""
    source = copy_of_the_repository(folder / "source")
    uv("build", "--wheel", "--quiet", "--out-dir", folder, source)
    [wheel] = folder.glob("*.whl")
    return wheel


def once(folder: Path, make: Callable[[Path], object]) -> Path:
    """Return a folder that `make` has filled, in this process or in another worker."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "made").exists():
            folder.mkdir(exist_ok=True)
            make(folder)
            (folder / "made").touch()
    return folder


def environment(shared: Path, *requirements: str, options: tuple[str, ...] = ()) -> Environment:
    """Return an environment with these packages."""
    key = sha256("\n".join([*requirements, *options]).encode()).hexdigest()[:12]

    def make(folder: Path) -> None:
        uv("venv", "--quiet", "--allow-existing", "--python", sys.executable, folder)
        uv("pip", "install", "--quiet", "--python", folder, *options, *requirements)

    return Environment(once(shared / key, make))


MakeEnvironment = Callable[..., Environment]
"""Gives an environment with these packages."""
