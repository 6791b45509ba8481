"""The distribution: what is in the wheel, what it asks for, and the ways to install it."""

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

from tests.scenarios.process import ROOT
from tests.strangers.environments import (
    SURROUNDINGS,
    Environment,
    MakeEnvironment,
    build,
    copy_of_the_repository,
    uv,
)

pytestmark = pytest.mark.slow

EXTRAS = {"binary", "psycopg2", "serve", "progress", "json", "embedded", "tasks"}


def content(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_has_the_package_alone(wheel: Path) -> None:
    files = content(wheel)
    folders = {name.split("/")[0] for name in files}
    [info] = folders - {"alembic_boot"}
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "alembic_boot").rglob("*.py")}
    assert modules <= files.keys()
    assert {"alembic_boot/py.typed", f"{info}/licenses/LICENSE"} <= files.keys()


def test_the_metadata(wheel: Path) -> None:
    """There are few requirements, and the rest is extras."""
    [text] = [it.decode() for name, it in content(wheel).items() if name.endswith("/METADATA")]
    metadata = message_from_string(text)
    asked = metadata.get_all("Requires-Dist", [])
    assert {it for it in asked if "extra ==" not in it} == {
        "alembic>=1.16",
        "pgparse>=1.0.3",
        "sqlalchemy>=2.0.43",
    }
    assert set(metadata.get_all("Provides-Extra", [])) == EXTRAS
    assert (metadata["License-Expression"], metadata["Requires-Python"]) == ("MIT", ">=3.11")
    assert "# alembic-boot" in str(metadata.get_payload())


def test_the_same_source_gives_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    assert build(tmp_path).read_bytes() == wheel.read_bytes()


def test_the_requirements_are_made_from_the_groups() -> None:
    """Each package of a group is pinned, with a hash and without the address of a registry."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    for group, name in (("service", "requirements.txt"), ("dev", "requirements-dev.txt")):
        text = (ROOT / name).read_text(encoding="utf-8")
        pinned = {line.split("==")[0] for line in text.splitlines() if "==" in line}
        named = {it.split(">=")[0].split("[")[0] for it in groups[group] if isinstance(it, str)}
        assert named <= pinned
        assert "://" not in text


def python(environment: Environment, code: str) -> str:
    finished = subprocess.run(
        [environment.python, "-I", "-c", code],
        env=SURROUNDINGS,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.strip()


IMPORT_ALL = """
import importlib, json, pkgutil, sys
import alembic_boot

missing = {}
for module in pkgutil.walk_packages(alembic_boot.__path__, "alembic_boot."):
    if module.name.endswith(".__main__"):
        continue
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        missing[module.name] = error.name
print(json.dumps(missing))
"""

OF_EXTRAS = {"uvicorn", "watchfiles", "h11", "invoke", "pytest", "starlette", "fastapi"}


def test_without_extras(wheel: Path, environment_of: MakeEnvironment) -> None:
    """With psycopg2 alone, only what serves, the tasks and the plugin cannot be imported."""
    bare = environment_of(f"alembic-boot[binary] @ {wheel.as_uri()}")
    missing: dict[str, str] = json.loads(python(bare, IMPORT_ALL))
    assert set(missing.values()) <= OF_EXTRAS
    assert {"alembic_boot.cli", "alembic_boot.running.loop"}.isdisjoint(missing)
    # The installed distribution is another than the folder that make runs from.
    assert "site-packages" in python(bare, "import alembic_boot; print(alembic_boot.__file__)")


TEMPLATE = """
fastapi[standard]<1.0.0,>=0.114.2
python-multipart<1.0.0,>=0.0.7
email-validator<3.0.0.0,>=2.1.0.post1
tenacity<9.0.0,>=8.2.3
pydantic>2.0
emails<1.0,>=0.6
jinja2<4.0.0,>=3.1.4
alembic<2.0.0,>=1.12.1
httpx<1.0.0,>=0.25.1
psycopg[binary]<4.0.0,>=3.1.13
sqlmodel<1.0.0,>=0.0.21
pydantic-settings<3.0.0,>=2.2.1
sentry-sdk[fastapi]>=2.0.0,<3.0.0
pyjwt<3.0.0,>=2.8.0
pwdlib[argon2,bcrypt]>=0.3.0
"""
"""What fastapi/full-stack-fastapi-template asks for."""


def resolved(requirements: Path) -> dict[str, str]:
    lines = uv("pip", "compile", "-q", "--no-header", "--no-annotate", requirements).splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def test_nothing_of_the_template_changes(wheel: Path, tmp_path: Path) -> None:
    """alembic-boot adds packages to those of a real project, and moves none to another version."""
    theirs, ours = tmp_path / "theirs.in", tmp_path / "ours.in"
    theirs.write_text(TEMPLATE)
    ours.write_text(f"{TEMPLATE}alembic-boot[binary,serve] @ {wheel.as_uri()}\n")
    before, after = resolved(theirs), resolved(ours)
    assert {name: after.get(name) for name in before} == before
    assert after.keys() - before.keys() == {"pgparse", "psycopg2-binary"}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a repository of git with what a clone has."""
    folder = copy_of_the_repository(tmp_path_factory.mktemp("clone"))
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "one"]):
        author = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
        subprocess.run(["git", *author, *words], cwd=folder, check=True)
    return folder


VERSION = "from importlib.metadata import version; print(version('alembic-boot'))"


def test_uv_adds_a_clone(clone: Path, tmp_path: Path) -> None:
    """The other project gets the package with its extra, and nothing of the service."""
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "theirs"\nversion = "1"\nrequires-python = ">=3.11"\n'
    )
    uv("add", "-q", "--python", sys.executable, f"{clone}", "--extra", "binary", cwd=tmp_path)
    theirs = Environment(tmp_path / ".venv")
    assert python(theirs, VERSION) == "0.1.0"
    assert python(theirs, "import pgparse, psycopg2; print('all')") == "all"
    assert (
        python(theirs, "from importlib.util import find_spec as f; print(f('fastapi'))") == "None"
    )


def test_pip_installs_from_git(clone: Path, environment_of: MakeEnvironment) -> None:
    """pip itself, which builds the wheel from the repository."""
    theirs = environment_of("pip")
    address = f"alembic-boot[binary] @ git+{clone.as_uri()}"
    subprocess.run(
        [theirs.python, "-m", "pip", "install", "-q", "--no-deps", address],
        env={**SURROUNDINGS, **{it: os.environ[it] for it in os.environ if it.startswith("PIP_")}},
        check=True,
    )
    assert python(theirs, VERSION) == "0.1.0"
    assert theirs.program("alembic-boot").exists()


def test_uv_sync_sets_the_service_up(clone: Path) -> None:
    """The group and the project itself are installed. The group `dev` would take long."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]
    assert settings["default-groups"] == ["service", "dev"]
    uv("sync", "-q", "--no-group", "dev", "--python", sys.executable, cwd=clone)
    code = "import fastapi, alembic_boot; print(alembic_boot.__file__)"
    assert python(Environment(clone / ".venv"), code) == str(clone / "alembic_boot/__init__.py")
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=clone, capture_output=True, text=True, check=True
    )
    assert status.stdout == ""
