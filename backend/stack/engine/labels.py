"""The labels by which every version of Compose finds the parts of a stack; and CI's label."""

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
"""The label of all objects that a pipeline run makes; CI finds and removes them by it."""
RUN_VARIABLE = "MORIAI_CI_RUN"
"""The environment variable with the id of the present run."""

_OUR_VERSION = "2.0.0"
"""The Compose version in the labels: they follow Compose 2; 1.29 fails without a version."""


def of_stack(place: Place) -> dict[str, str]:
    """Return the labels of every part of a stack."""
    return {PROJECT: place.name, VERSION: _OUR_VERSION, **of_run()}


def of_run() -> dict[str, str]:
    """Return the labels of everything made in a pipeline run; none outside of a run."""
    run = os.environ.get(RUN_VARIABLE)
    return {RUN: run} if run else {}


def of_container(
    project: Project, service: str, number: int, config_hash: str, image_id: str
) -> dict[str, str]:
    """Return the labels of a container, in addition to those of its service."""
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
