"""The layouts of other people's projects, and a copy of one that a test works on."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cluster import OWNER, PASSWORD, Cluster
from tests.strangers.environments import SURROUNDINGS, Environment

PROJECTS = Path(__file__).parent / "projects"

SYNC = (
    "fastapi[standard]",
    "gunicorn",
    "psycopg[binary]",
    "pydantic-settings",
    "sqlmodel",
    "uvicorn-worker",
)
ASYNC = ("asyncpg", "black", "fastapi", "pydantic-settings", "sqlalchemy[asyncio]", "uvicorn")


def _one_url(cluster: Cluster, database: str) -> dict[str, str]:
    return {"DATABASE_URL": cluster.url(database)}


def _parts(host: str) -> Callable[[Cluster, str], dict[str, str]]:
    """Return what sets a project's own settings: `host` is the name of the host's variable."""
    return lambda cluster, database: {
        host: "127.0.0.1",
        "POSTGRES_PORT": str(cluster.port),
        "POSTGRES_USER": OWNER,
        "POSTGRES_PASSWORD": PASSWORD,
        "POSTGRES_DB": database,
    }


def _two_urls(cluster: Cluster, database: str) -> dict[str, str]:
    url = cluster.url(database)
    return {
        "DATABASE_URL": url,
        "DATABASE_ASYNC_URL": url.replace("postgresql:", "postgresql+asyncpg:"),
    }


def _balancers(cluster: Cluster, database: str) -> dict[str, str]:
    url = cluster.url(database).replace("postgresql:", "postgresql+psycopg:")
    return {"BALANCER_DATABASE_URL": url}


@dataclass(frozen=True)
class Layout:
    """One way to lay a project out; its files are in `projects`."""

    project: str
    packages: tuple[str, ...]
    variables: Callable[[Cluster, str], dict[str, str]]
    """What the project's own settings need."""
    table: str
    app: str
    versions: str
    options: tuple[str, ...] = ()
    surroundings: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return " ".join([self.project, *self.options[1:]])


LAYOUTS = [
    Layout(
        "backend_package",
        SYNC,
        _parts("POSTGRES_SERVER"),
        "item",
        "backend.main:app",
        "backend/alembic/versions",
    ),
    Layout(
        "async_settings",
        ASYNC,
        _parts("POSTGRES_HOST"),
        "assistant",
        "src.agent_server.main:app",
        "alembic/versions",
    ),
    Layout(
        "pyproject_only", SYNC, _balancers, "account", "app.main:app", "app/db/alembic/versions"
    ),
    Layout("async_black", ASYNC, _two_urls, "auth_user", "src.main:app", "alembic/versions"),
    Layout(
        "src_layout",
        SYNC,
        _one_url,
        "product",
        "shop.main:app",
        "src/shop/migrations/versions",
        surroundings={"PYTHONPATH": "src"},
    ),
    Layout(
        "two_histories",
        SYNC,
        _one_url,
        "invoice",
        "",
        "billing/migrations/versions",
        ("-n", "billing"),
    ),
]


BROKEN = """
from alembic import op

revision = "broken"
down_revision = {below!r}
branch_labels = None
depends_on = None


def upgrade():
    op.execute("SELECT * FROM not_there")


def downgrade():
    pass
"""


@dataclass(frozen=True)
class Finished:
    """How a command ended, and what it said."""

    status: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Stranger:
    """A copy of a project, its database, and the environment with the wheel."""

    folder: Path
    environment: Environment
    variables: Mapping[str, str]
    options: tuple[str, ...] = ()

    @contextmanager
    def starting(
        self, *words: str, program: str = "alembic-boot", **variables: str
    ) -> Iterator[subprocess.Popen[str]]:
        """Start a command of the environment in the project's folder; kill what is left of it."""
        with subprocess.Popen(
            [self.environment.program(program), *words],
            cwd=self.folder,
            # As when the environment is activated.
            env={**SURROUNDINGS, "PATH": self._path, **self.variables, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    @property
    def _path(self) -> str:
        return f"{self.environment.folder / 'bin'}{os.pathsep}{SURROUNDINGS['PATH']}"

    def boot(self, *words: str, **variables: str) -> Finished:
        """Run `alembic-boot` with these words after the project's own options."""
        return self.boot_at_once([words], **variables)[0]

    def boot_at_once(self, commands: Sequence[Sequence[str]], **variables: str) -> list[Finished]:
        """Run several at the same time."""
        with _all([self.starting(*self.options, *it, **variables) for it in commands]) as started:
            return [_finished(it) for it in started]

    def run(self, program: str, *words: str) -> Finished:
        """Run another program of the environment."""
        with self.starting(*words, program=program) as process:
            return _finished(process)


@contextmanager
def _all(starting: Sequence[Any]) -> Iterator[list[subprocess.Popen[str]]]:
    with ExitStack() as stack:
        yield [stack.enter_context(it) for it in starting]


def _finished(process: subprocess.Popen[str]) -> Finished:
    stdout, stderr = process.communicate(timeout=60)
    said = Finished(process.returncode, stdout, stderr)
    assert "Traceback" not in stderr, said
    assert PASSWORD not in stdout + stderr, said
    return said


def copied(layout: Layout, folder: Path) -> Path:
    """Copy the project's files into a folder."""
    shutil.copytree(PROJECTS / layout.project, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


MakeStranger = Callable[[Layout], Stranger]
"""Gives a copy of a project, with an empty database."""
