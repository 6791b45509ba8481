"""The labels by which Compose, whatever its version, knows what belongs to a stack; and CI."""

import os
from collections.abc import Mapping

from backend.stack.compose.model import Dependency
from backend.stack.compose.project import Place, Project

_PREFIX = "com.docker.compose."
PROJECT = f"{_PREFIX}project"
SERVICE = f"{_PREFIX}service"
NUMBER = f"{_PREFIX}container-number"
ONE_OFF = f"{_PREFIX}oneoff"
CONFIG_HASH = f"{_PREFIX}config-hash"
DEPENDS_ON = f"{_PREFIX}depends_on"
IMAGE = f"{_PREFIX}image"
NETWORK = f"{_PREFIX}network"
VOLUME = f"{_PREFIX}volume"
VERSION = f"{_PREFIX}version"
WORKING_DIR = f"{_PREFIX}project.working_dir"
CONFIG_FILES = f"{_PREFIX}project.config_files"

RUN = "moriai.ci.run"
"""The label of what a run of the pipeline made, by which it is found again and removed."""
RUN_VARIABLE = "MORIAI_CI_RUN"
"""The environment variable that says which run this is."""

_OUR_VERSION = "2.0.0"
"""What is written here is what Compose 2 writes; 1.29 fails on containers that do not say."""


def of_stack(place: Place) -> dict[str, str]:
    """Return what every part of a stack has."""
    return {PROJECT: place.name, VERSION: _OUR_VERSION, **of_run()}


def of_run() -> dict[str, str]:
    """Return what everything has that is made in a run of the pipeline; nothing outside of one."""
    run = os.environ.get(RUN_VARIABLE)
    return {RUN: run} if run else {}


def of_container(
    project: Project, service: str, number: int, config_hash: str, image_id: str
) -> dict[str, str]:
    """Return what a container has, beside the labels that its service asks for."""
    return {
        **of_stack(project.place),
        SERVICE: service,
        NUMBER: str(number),
        ONE_OFF: "False",
        CONFIG_HASH: config_hash,
        DEPENDS_ON: write_depends_on(project.services[service].depends_on),
        IMAGE: image_id,
        WORKING_DIR: str(project.place.folder),
        CONFIG_FILES: ",".join(str(path) for path in project.files),
    }


def write_depends_on(dependencies: Mapping[str, Dependency]) -> str:
    """Return `postgres:service_healthy:false`: service, condition, whether restarted with it."""
    return ",".join(f"{name}:{it.condition}:false" for name, it in sorted(dependencies.items()))


def read_depends_on(label: str) -> list[str]:
    """Return the services that a label names; Compose 1.29 writes none."""
    return [part.split(":")[0] for part in label.split(",") if part]
