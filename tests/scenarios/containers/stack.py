"""The project's own stack in a folder of a test's own, with a history that a test may add to."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from random import randrange
from socket import socket
from uuid import uuid4

from docker import DockerClient
from docker.errors import NotFound
from docker.models.containers import Container

from tests.scenarios.containers.inside import output_of
from tests.scenarios.process import (
    DEADLINE,
    ROOT,
    Finished,
    Running,
    matches,
    message_of,
    write_revision,
)
from tests.stack.stack import Stack

MADE_BY = "moriai.tests.stack"
"""The label of the images that a stack builds; its value is the stack's name."""

USER, DATABASE = "moriai_user", "moriai_db"

UNTIL_GATE = """
op.create_table("half", sa.Column("id", sa.Integer))
op.execute(
    "DO $$ BEGIN FOR i IN 1..600 LOOP"
    " EXIT WHEN EXISTS (SELECT FROM pg_class WHERE relname = 'gate');"
    " PERFORM pg_sleep(0.1); END LOOP; END $$"
)
"""
"""The body of a revision that goes on when there is a table `gate`, or after a minute."""

_AT_THE_GATE = """
SELECT count(*) FROM schema_journal AS journal, pg_stat_activity AS activity
WHERE journal.status = 'running' AND activity.pid <> pg_backend_pid()
  AND activity.state = 'active' AND activity.query LIKE '%gate%'
"""

_DOCKERFILE = """\
ARG PYTHON_IMAGE
FROM {image}
LABEL {label}={name}
COPY versions /app/alembic/versions
"""


def free_ports(number: int) -> str:
    """Return so many ports in a row, as `9000-9004`, that nobody has.

    They lie where no system takes those of outgoing connections from: else somebody might have one
    of them a moment later.
    """
    while True:
        first = randrange(10_000, 30_000)
        with ExitStack() as bound, suppress(OSError):
            for port in range(first, first + number):
                bound.enter_context(socket()).bind(("127.0.0.1", port))
            return f"{first}-{first + number - 1}" if number > 1 else str(first)


def wait_until(happened: Callable[[], object], what: object) -> None:
    """Return when it has happened; fail, with `what`, if it has not in all that time."""
    deadline = time.monotonic() + DEADLINE
    while not happened():
        assert time.monotonic() < deadline, what
        threading.Event().wait(0.1)


class ServiceStack(Stack):
    """The real docker-compose.yml, with an image that is the backend's and more revisions."""

    def __init__(self, engine: DockerClient, folder: Path, image: str) -> None:
        text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
        super().__init__(engine, folder, "IMAGE", text)  # which replaces nothing in it
        self.versions = folder / "versions"
        self.versions.mkdir()
        dockerfile = _DOCKERFILE.format(image=image, label=MADE_BY, name=self.name)
        (folder / "docker" / "backend").mkdir(parents=True)
        self.write(dockerfile, "docker/backend/Dockerfile")
        self.password = f"password-{uuid4().hex}"
        self.variables = {
            **{name: text for name, text in os.environ.items() if name.startswith("DOCKER_")},
            **base_images(),
            "POSTGRES_PASSWORD": self.password,
            "BACKEND_PORT": free_ports(1),
        }

    def revision(self, revision: str, parent: str, upgrade: str, phase: str = "expand") -> None:
        """Add a revision to the image that the next `up` builds."""
        constants = f"phase = {phase!r}"
        write_revision(self.versions, revision, parent, upgrade, constants=constants)

    def forget_revisions(self) -> None:
        """Let the next `up` build an image with the real history alone."""
        for path in self.versions.iterdir():
            path.unlink()

    def inv(self, *arguments: str, **variables: str) -> Finished:
        """Run `inv` in the folder."""
        return super().inv(*arguments, **{**self.variables, **variables})

    @contextmanager
    def running_inv(self, *arguments: str, **variables: str) -> Iterator[Running]:
        """Start `inv` in the folder."""
        everything = {**self.variables, **variables}
        with super().running_inv(*arguments, **everything) as process:
            yield process

    @property
    def backend(self) -> Container:
        """The first container of the backend, as it is now."""
        return self.containers()["backend-1"]

    @property
    def postgres(self) -> Container:
        """The database's container, as it is now."""
        return self.containers()["postgres-1"]

    def log(self, title: str = "backend-1") -> list[str]:
        """Return what a container has said, the messages alone; it must keep the secrets."""
        said = self.containers()[title].logs().decode()
        assert "Traceback" not in said, said
        assert self.password not in said, said
        return [message_of(line) for line in said.splitlines()]

    def wait_for(self, pattern: str, title: str = "backend-1", count: int = 1) -> str:
        """Return the message that matches when a container has said it `count` times."""

        def found() -> list[str]:
            if title not in self.containers():
                return []
            return [message for message in self.log(title) if matches(message, pattern)]

        wait_until(lambda: len(found()) >= count, pattern)
        return found()[count - 1]

    def wait_for_the_gate(self) -> None:
        """Return when a starter is in the middle of a revision that waits for the gate."""
        self.wait_until_healthy("postgres-1")
        journal = "SELECT to_regclass('schema_journal') IS NOT NULL"
        wait_until(lambda: self.query(journal) == ["t"], "nobody migrates")
        wait_until(lambda: self.query(_AT_THE_GATE) == ["1"], "nobody is at the gate")

    def wait_until_healthy(self, title: str = "backend-1") -> None:
        """Return when a container is healthy, however often it was restarted until then."""

        def is_healthy() -> bool:
            if title not in self.containers():
                return False
            state = self.containers()[title].attrs["State"]
            return bool(state["Running"]) and state["Health"]["Status"] == "healthy"

        wait_until(is_healthy, title)

    def url(self, title: str = "backend-1") -> str:
        """Return where a container of the backend is published."""
        [binding] = self.containers()[title].attrs["NetworkSettings"]["Ports"]["8000/tcp"]
        return f"http://{binding['HostIp']}:{binding['HostPort']}"

    def query(self, statement: str) -> list[str]:
        """Return a row a text, columns parted by |, as the database answers its owner."""
        psql = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align"]
        to = ["--host", "127.0.0.1", "--username", USER, "--dbname", DATABASE]
        command = [*psql, *to, "--set", "ON_ERROR_STOP=1", "--command", statement]
        said = output_of(self.postgres, *command, PGPASSWORD=self.password)
        return said.splitlines()

    def journal(self, columns: Sequence[str] = ("revision", "status")) -> list[str]:
        """Return the journal's rows, in the order in which they were written."""
        return self.query(f"SELECT {', '.join(columns)} FROM schema_journal ORDER BY id")

    def remove_everything(self) -> None:
        """Remove what is left of it, its images too."""
        super().remove_everything()
        # Those without children; what lies under them goes with them.
        ours = {"label": f"{MADE_BY}={self.name}"}
        for image in self.engine.images.list(filters=ours):
            with suppress(NotFound):
                self.engine.images.remove(str(image.id), force=True)


def base_images() -> dict[str, str]:
    """Return the base images that the environment or the repository's `.env` names, if any."""
    from backend.stack.compose.project import read_variables

    variables = read_variables(ROOT)
    names = ("PYTHON_IMAGE", "POSTGRES_IMAGE")
    return {name: variables[name] for name in names if name in variables}
