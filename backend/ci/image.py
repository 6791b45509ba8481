"""The image of a run: built with version and revision, under its own name, and checked."""

import logging
import re
import subprocess
from pathlib import Path

from docker import DockerClient

from alembic_boot.errors import ConfigurationError, EngineError
from backend import __version__
from backend.ci.inspection import complaints, inspect
from backend.ci.run import Run
from backend.stack.compose.model import Build
from backend.stack.compose.project import Project
from backend.stack.compose.reading import read_project
from backend.stack.engine.connection import engine
from backend.stack.engine.images import have_image, run_build
from backend.stack.engine.labels import of_run
from backend.stack.standins import make_standins

logger = logging.getLogger(__name__)

IMAGE_VARIABLE = "MORIAI_TEST_IMAGE"
"""The environment variable that names the image for the scenarios."""

RECIPES = Path("docker/standins")
"""Where a project has the Dockerfiles of the stand-ins for its base images."""

_SERVICE = "backend"
_BASE = "PYTHON_IMAGE"
_STAGE = re.compile(r"^FROM\s.*\sAS\s+(\S+)", re.IGNORECASE | re.MULTILINE)


def image_name(run: Run) -> str:
    """Return the name of a run's image."""
    return f"moriai-ci/{_SERVICE}:{run.tag}"


def build_and_check(folder: Path, run: Run) -> bool:
    """Build the image of a project's folder, and return whether it passes all checks.

    Raises ConfigurationError and EngineError.
    """
    version, revision = __version__, read_revision(folder)
    with engine() as client:
        project = _with_bases(client, folder)
        name = _build(client, project, run, {"VERSION": version, "REVISION": revision})
        facts = inspect(client, name)
    logger.info("Image %s: version %s, revision %s", name, version, revision)
    logger.info("Image %s: %.0f MB, runs as user %d", name, facts.size / 1e6, facts.uid)
    wrong = complaints(facts, version, revision)
    for it in wrong:
        logger.error("Image %s failed a check: %s", name, it)
    return not wrong


def read_revision(folder: Path) -> str:
    """Return the commit, with `-dirty` if files differ; else `unknown`."""
    try:
        finished = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],  # noqa: S607
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"  # sources without their history can be built, too
    return finished.stdout.strip()


def _with_bases(client: DockerClient, folder: Path) -> Project:
    """Return the project, after its base images were pulled, or built if that is impossible."""
    try:
        return read_with_bases(client, folder)
    except EngineError as error:
        logger.warning("%s Stand-ins are made.", error.what)
    make_standins(client, folder / RECIPES, folder / ".env")
    return read_with_bases(client, folder)


def read_with_bases(client: DockerClient, folder: Path) -> Project:
    """Return the project when its base images are here. Raises EngineError if one cannot be."""
    project = read_project(folder)
    have_image(client, _build_of(project).args[_BASE])
    for name, service in project.services.items():
        if service.build is None:
            have_image(client, project.image_of(name))
    return project


def _build(client: DockerClient, project: Project, run: Run, args: dict[str, str]) -> str:
    """Build the image and return its name.

    Its stages are built first, each under its own name, because their layers must be removed as
    well; after that they are in the engine's cache.
    """
    build = _build_of(project)
    context = project.place.folder / build.context
    targets = {
        f"moriai-ci/{stage}:{run.tag}": stage for stage in _stages(context / build.dockerfile)
    }
    for name, target in {**targets, image_name(run): build.target}.items():
        run_build(
            client,
            name,
            {**build.args, **args},
            title=_SERVICE,
            path=str(context),
            dockerfile=build.dockerfile,
            target=target,
            labels={**build.labels, **of_run()},
        )
    return image_name(run)


def _stages(dockerfile: Path) -> list[str]:
    """Return the names of all named stages."""
    try:
        return _STAGE.findall(dockerfile.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"{dockerfile} cannot be read: {error.strerror}.", f"Fix services.{_SERVICE}.build."
        ) from error


def _build_of(project: Project) -> Build:
    service = project.services.get(_SERVICE)
    if service is None or service.build is None or _BASE not in service.build.args:
        raise ConfigurationError(
            f"The Compose file does not say how {_SERVICE} is built from {_BASE}.",
            f"Give services.{_SERVICE}.build the argument {_BASE}.",
        )
    return service.build
