"""The images of a stack: built with progress lines, or pulled if they are absent."""

import logging
import re
from collections import deque
from collections.abc import Mapping
from contextlib import closing
from time import monotonic
from typing import Any

from docker import DockerClient
from docker.errors import APIError, ImageNotFound
from requests.exceptions import RequestException

from alembic_boot.commands import as_typed
from alembic_boot.errors import ConfigurationError, EngineError
from backend.stack.compose.interpolation import InterpolationError, interpolate
from backend.stack.compose.model import Build
from backend.stack.compose.project import Project
from backend.stack.engine.connection import explanation
from backend.stack.engine.watch import log_tail

logger = logging.getLogger(__name__)

_STEP = re.compile(r"Step (?P<number>\d+)/(?P<total>\d+) : (?P<instruction>.*)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
"""The escape codes in the stderr of a build."""
_TAIL = 20
"""Lines of a step that failed."""
_WIDTH = 90
"""Characters of an instruction that a log line shows."""

_NO_REGISTRY = (
    f"If no image registry can be reached, `{as_typed('images')}` makes stand-ins; "
    "else fix the name or log in to its registry."
)


def build_images(client: DockerClient, project: Project) -> None:
    """Build every image that has a build in the project. Raises EngineError."""
    for name, service in project.services.items():
        if service.build is not None:
            build_image(client, project, name, service.build)


def image_id(client: DockerClient, project: Project, service: str) -> str:
    """Return the id of a service's image; build it first, or pull it if it is absent.

    Raises EngineError.
    """
    build = project.services[service].build
    if build is not None:
        return build_image(client, project, service, build)
    return have_image(client, project.image_of(service))


def have_image(client: DockerClient, name: str) -> str:
    """Return the id of an image; pull it if it is absent. Raises EngineError."""
    try:
        return str(client.images.get(name).id)
    except ImageNotFound:
        return _pull(client, name)


def build_image(client: DockerClient, project: Project, service: str, build: Build) -> str:
    """Build a service's image, with the engine's cache, and return its id. Raises EngineError."""
    context = project.place.folder / build.context
    try:
        has_recipe = (context / build.dockerfile).is_file()
    except OSError as error:
        raise _unreadable(service, error) from error
    if not has_recipe:
        raise ConfigurationError(
            f"There is no {build.dockerfile} in {context}.", f"Fix services.{service}.build."
        )
    return run_build(
        client,
        project.image_of(service),
        build.args,
        title=service,
        path=str(context),
        dockerfile=build.dockerfile,
        target=build.target,
        labels=dict(build.labels),
    )


def run_build(
    client: DockerClient, name: str, args: Mapping[str, str], *, title: str, **options: Any
) -> str:
    """Build an image of this name with a log line per step, and return its id.

    `title` names the image in these lines; `options` are the engine's own. Raises EngineError.
    """
    began = monotonic()
    try:
        output = client.api.build(
            tag=name, buildargs=dict(args), rm=True, forcerm=True, decode=True, **options
        )
    except RequestException:
        raise  # an error of the engine, though an OSError as well
    except OSError as error:
        raise _unreadable(title, error) from error
    steps = _Steps(title, args)
    with closing(output):
        for message in output:
            steps.read(message)
    steps.log_pending()
    how = "built" if steps.has_worked else "is up to date"
    logger.info("Image %s %s (%.1f s)", name, how, monotonic() - began)
    return str(client.images.get(name).id)


class _Steps:
    """The output of a build, one line per step; cached steps are left out."""

    def __init__(self, service: str, args: Mapping[str, str]) -> None:
        self.service = service
        self.args = args
        self.instruction = ""
        self.pending = ""
        self.has_worked = False
        self.tail: deque[str] = deque(maxlen=_TAIL)

    def read(self, message: Mapping[str, Any]) -> None:
        if "error" in message:
            raise self.failure(str(message["error"]))
        for line in _COLOUR.sub("", str(message.get("stream") or "")).splitlines():
            self.read_line(line)

    def read_line(self, line: str) -> None:
        if step := _STEP.match(line):
            self.log_pending()
            self.instruction = step["instruction"]
            self.tail.clear()
            shown = " ".join(self.instruction.split())[:_WIDTH]
            self.pending = f"{step['number']}/{step['total']} {shown}"
        elif line.startswith(" ---> Using cache"):
            self.pending = ""
        elif line.startswith(" ---> Running in"):
            self.log_pending()
        elif line.strip() and not line.startswith((" --->", "Removing intermediate container")):
            self.log_pending()
            self.tail.append(line)
            logger.debug("%s | %s", self.service, line)

    def log_pending(self) -> None:
        """Log the step that began: now it is clear that it does not come from the cache."""
        # ARG and FROM create nothing themselves.
        if self.pending and not self.instruction.startswith(("ARG", "FROM")):
            self.has_worked = True
            logger.info("Building %s: %s", self.service, self.pending)
        self.pending = ""

    def failure(self, reason: str) -> EngineError:
        words = self.instruction.split()
        if words[:1] == ["FROM"]:
            return missing_image(self.filled_in(words[1]), reason)
        log_tail(self.service, list(self.tail))
        return EngineError(
            f"The image of {self.service} cannot be built: {reason.strip().rstrip('.')}.",
            f"{'Its last lines are above; fix' if self.tail else 'Fix'} its Dockerfile, "
            "or what that copies.",
        )

    def filled_in(self, name: str) -> str:
        try:
            return interpolate(name, self.args)
        except InterpolationError:
            return name


def _unreadable(service: str, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"A file of {service} cannot be sent to the engine: {error}.",
        "Give this user the right to read it, or name it in .dockerignore.",
    )


def _pull(client: DockerClient, name: str) -> str:
    logger.info("Pulling %s", name)
    repository, tag = _split(name)
    try:
        return str(client.images.pull(repository, tag=tag).id)
    except APIError as error:
        raise missing_image(name, explanation(error)) from error


def _split(name: str) -> tuple[str, str | None]:
    """Return an image's name and its tag, `latest` by default; a digest stays in the name."""
    if "@" in name:
        return name, None
    last = name.rpartition("/")[2]
    if ":" not in last:
        return name, "latest"
    repository, _, tag = name.rpartition(":")
    return repository, tag


def missing_image(name: str, reason: str) -> EngineError:
    """Return the error for an image that is absent and cannot be pulled."""
    return EngineError(
        f"The image {name} is not here, and could not be pulled: {reason.strip().rstrip('.')}.",
        _NO_REGISTRY,
    )
