"""A stack of a test's own: its folder, its containers, and `inv` run in it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

from docker import DockerClient
from docker.models.containers import Container

from backend.stack.compose.project import Place, Project
from backend.stack.compose.reading import read_project
from tests.scenarios.process import DEADLINE, ROOT, Finished, Running, run, running

PROJECT = "com.docker.compose.project"


class Stack:
    """A folder with a Compose file in which the tasks work as in the repository."""

    def __init__(self, engine: DockerClient, folder: Path, image: str, text: str) -> None:
        self.engine = engine
        self.folder = folder
        self.image = image
        folder.mkdir()
        for name in ("tasks.py", "alembic_boot", "backend"):
            (folder / name).symlink_to(ROOT / name)
        self.write(text)

    @property
    def name(self) -> str:
        """What Compose calls it."""
        return self.folder.name

    @property
    def place(self) -> Place:
        return Place(self.name, self.folder)

    def write(self, text: str, name: str = "docker-compose.yml") -> None:
        """Write a file of it; `IMAGE` stands for the tiny image."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(dedent(text).replace("IMAGE", self.image), encoding="utf-8")

    def project(self, **variables: str) -> Project:
        return read_project(self.folder, variables)

    def inv(self, *arguments: str, **variables: str) -> Finished:
        """Run `inv` in the folder."""
        return run(self.folder, *arguments, **variables)

    @contextmanager
    def running_inv(self, *arguments: str, **variables: str) -> Iterator[Running]:
        """Start `inv` in the folder."""
        with running(self.folder, *arguments, **variables) as process:
            yield process

    def containers(self) -> dict[str, Container]:
        """Return its containers by service and number: `web-1`."""
        found = self.engine.containers.list(
            all=True, filters={"label": f"{PROJECT}={self.name}"}, ignore_removed=True
        )
        prefix = "com.docker.compose."
        return {
            f"{it.labels[f'{prefix}service']}-{it.labels[f'{prefix}container-number']}": it
            for it in found
        }

    def ids(self) -> dict[str, str]:
        return {name: str(it.id) for name, it in self.containers().items()}

    def networks(self) -> list[str]:
        found = self.engine.networks.list(filters={"label": f"{PROJECT}={self.name}"})
        return sorted(str(it.name) for it in found)

    def volumes(self) -> list[str]:
        found = self.engine.volumes.list(filters={"label": f"{PROJECT}={self.name}"})
        return sorted(str(it.name) for it in found)

    def wait_for_images_containers(self, count: int) -> None:
        """Wait until there are so many containers of the tiny image, or of what is built on it."""
        deadline = time.monotonic() + DEADLINE
        while len(found := self._of_image()) != count:
            assert time.monotonic() < deadline, found
            time.sleep(0.05)

    def _of_image(self) -> list[str]:
        # Not `list`, which looks at each again: a build's may be gone by then.
        found = self.engine.api.containers(all=True, filters={"ancestor": self.image})
        return [str(it["Names"]) for it in found]

    def remove_everything(self) -> None:
        """Remove what is left of it."""
        for container in self.engine.containers.list(
            all=True, filters={"label": f"{PROJECT}={self.name}"}
        ):
            container.remove(force=True, v=True)
        for network in self.networks():
            self.engine.networks.get(network).remove()
        for volume in self.volumes():
            self.engine.volumes.get(volume).remove()
