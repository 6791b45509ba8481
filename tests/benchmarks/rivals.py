"""The tools that people use instead, set up once beside the project's own environment.

They are no dependencies of ours, so they are in none of our requirements; what is installed is
pinned by version and hash all the same.
"""

import base64
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.scenarios.process import ROOT

_FOLDER = ROOT / ".data" / "bench"

_DJANGO = Path(__file__).parent / "rivals.txt"

_DBMATE = "2.36.0"
_DBMATE_SHA512 = (
    "LdLpgyuluwJ93rWcvJjdlsjJ8rBeeAH52h3dSk0zAMaLrQn49dup1/o2tFpG1jM9f767HkuXdBrrjy6ZwG9BSg=="
)
"""Of npm's package `@dbmate/linux-x64`, as npm itself writes it."""


class RivalMissingError(Exception):
    """A tool that is measured beside ours cannot be had here."""


@dataclass(frozen=True)
class Rivals:
    """Where the tools are."""

    django: Path
    """The interpreter that has it."""
    dbmate: Path


@cache
def set_up() -> Rivals:
    """Return the tools, installed where they are not yet. Raises RivalMissingError."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    return Rivals(_django(), _dbmate())


def _django() -> Path:
    environment = _FOLDER / f"django-{hashlib.sha256(_DJANGO.read_bytes()).hexdigest()[:12]}"
    python = environment / "bin" / "python"
    if not (environment / "ready").exists():
        _run(sys.executable, "-m", "venv", "--clear", str(environment))
        _run(str(python), "-m", "pip", "install", "-q", "--require-hashes", "-r", str(_DJANGO))
        (environment / "ready").touch()
    return python


def _dbmate() -> Path:
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise RivalMissingError(f"dbmate is not pinned for {sys.platform} {platform.machine()}.")
    binary = _FOLDER / f"dbmate-{_DBMATE}" / "dbmate"
    if binary.exists():
        return binary
    if shutil.which("npm") is None:
        raise RivalMissingError("npm is missing, by which dbmate comes: apt-get install npm.")
    binary.parent.mkdir(exist_ok=True)
    packed = _run("npm", "pack", "--json", f"@dbmate/linux-x64@{_DBMATE}", cwd=binary.parent)
    archive = binary.parent / json.loads(packed)[0]["filename"]
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if digest != _DBMATE_SHA512:
        raise RivalMissingError(f"{archive.name} is not the package that was pinned.")
    with tarfile.open(archive) as tar:
        content = tar.extractfile("package/bin/dbmate")
        assert content is not None
        partial = binary.with_suffix(".partial")
        partial.write_bytes(content.read())
    partial.chmod(0o755)
    partial.rename(binary)
    archive.unlink()
    return binary


def _run(*command: str, cwd: Path | None = None) -> str:
    finished = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    if finished.returncode != 0:
        last = (finished.stderr.strip().splitlines() or ["no word"])[-1]
        raise RivalMissingError(f"{' '.join(command[:3])} failed: {last}")
    return finished.stdout
