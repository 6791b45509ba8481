"""A project of a test's own, on which the pipeline runs as on this one."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

from docker import DockerClient

from backend.ci.belongings import find_belongings, remove_belongings
from backend.ci.run import Run
from tests.scenarios.process import ROOT, Finished, Running, run, running

_COMPOSE = """
services:
  backend:
    build: {context: ., dockerfile: docker/Dockerfile, args: {PYTHON_IMAGE: TINY}}
"""


class PipelineProject:
    """A folder with what the pipeline needs: a Compose file, a Dockerfile, and a `make test`.

    `TINY` in the latter two stands for the tiny image.
    """

    def __init__(
        self, engine: DockerClient, folder: Path, image: str, dockerfile: str, test: str
    ) -> None:
        self.engine = engine
        self.folder = folder
        self.image = image
        self.runs: set[Run] = set()
        (folder / "docker").mkdir(parents=True)
        for name in ("tasks.py", "alembic_boot", "backend"):
            (folder / name).symlink_to(ROOT / name)
        self._write("docker-compose.yml", _COMPOSE)
        self._write("docker/Dockerfile", dedent(dockerfile))
        self._write("test.py", dedent(test))
        self._write("Makefile", f"test:\n\t@{sys.executable} test.py\n")

    def _write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text.replace("TINY", self.image), encoding="utf-8")

    def inv(self, *arguments: str, **variables: str) -> Finished:
        """Run `inv` in the folder."""
        return run(self.folder, *arguments, **variables)

    @contextmanager
    def running_inv(self, *arguments: str) -> Iterator[Running]:
        """Start `inv` in the folder."""
        with running(self.folder, *arguments) as process:
            yield process

    def belongings(self, pid: int) -> list[str]:
        """Return the kinds of things in the engine that are of the run of a process."""
        found = [it for it in find_belongings(self.engine) if it.run.pid == pid]
        self.runs.update(it.run for it in found)
        return sorted(it.title.split()[0] for it in found)

    def containers(self) -> list[str]:
        """Return the containers of the tiny image, and of what is built on it."""
        found = self.engine.containers.list(
            all=True, filters={"ancestor": self.image}, ignore_removed=True
        )
        return [str(it.id) for it in found]

    def logs(self) -> str:
        """Return what the logs that are kept have in them."""
        return "".join(it.read_text() for it in sorted(self.folder.glob(".ci/logs/*/*.log")))

    def remove_everything(self) -> None:
        """Remove what is left of its runs."""
        for it in self.runs:
            remove_belongings(self.engine, it)
