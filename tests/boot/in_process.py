"""Run tasks in this process: without a command line, without signals, and one at a time.

What a task does below its command line is the real thing: settings, env.py, revisions, the server.
A process is started only for what a process alone shows: signals, kills, races, exit statuses.
"""

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from alembic_boot.adoption.adopt import adopt
from alembic_boot.checking.check import check
from alembic_boot.description import BootDescription
from alembic_boot.errors import BootError
from alembic_boot.migration.migrate import check_history, migrate
from alembic_boot.migration.preview import preview
from alembic_boot.migration.render import render_sql
from alembic_boot.migration.roll_back import roll_back
from alembic_boot.migration.status import read_status
from alembic_boot.output.log import TextFormatter
from alembic_boot.output.masking import mask
from alembic_boot.postgres.connection import keeping_one
from alembic_boot.seeding import seed_alone
from alembic_boot.waiting import wait
from backend.settings import load_settings
from tests.cluster import PASSWORD, Cluster
from tests.scenarios.foreign_histories import Migrated
from tests.scenarios.process import (
    DEADLINE,
    FOREIGN_ENV,
    FOREIGN_INI,
    Finished,
    ForeignProject,
    matches,
    message_of,
)
from tests.scenarios.scene import Scene, scene_of

Task = Callable[[BootDescription], str | None]
"""What a task does; returns what it prints."""

MakeScene = Callable[..., "Scene[Run]"]

_NO_FILE = Path("/nonexistent/.env")

_AT_WORK = threading.Lock()
"""Alembic's proxies, the log and the kept connection are one for the whole process."""


def migrating(boot: BootDescription) -> None:
    """Do what `inv migrate` does."""
    wait(boot, partial(check_history, boot))
    migrate(boot)


def rolling_back(boot: BootDescription) -> None:
    """Do what `inv rollback --yes --target` does; MIGRATION_TARGET names the target."""
    roll_back(boot, is_one_step=False, is_agreed=True)


def stepping_down(boot: BootDescription) -> None:
    """Do what `inv rollback --yes` does."""
    roll_back(boot, is_one_step=True, is_agreed=True)


def asking_to_step_down(boot: BootDescription) -> None:
    """Do what `inv rollback` does."""
    roll_back(boot, is_one_step=True, is_agreed=False)


def previewing(boot: BootDescription) -> str:
    """Do what `inv migrate --dry-run` does, if nothing is refused."""
    return preview(boot).as_text()


def seeding(boot: BootDescription) -> None:
    """Do what `inv seed` does."""
    seed_alone(boot)


def adopting(boot: BootDescription) -> None:
    """Do what `inv adopt` does."""
    wait(boot)
    adopt(boot, None)


def checking(boot: BootDescription) -> None:
    """Do what `inv check` does."""
    wait(boot)
    check(boot, every=True)


def rendering(boot: BootDescription) -> str:
    """Do what `inv migrate --sql` does."""
    return render_sql(boot)


def showing_status(boot: BootDescription) -> str:
    """Do what `inv status` does."""
    return read_status(boot).as_text()


def reading_status(boot: BootDescription) -> str:
    """Do what `inv status --json` does."""
    return json.dumps(read_status(boot).as_json())


class Run(logging.Handler):
    """A task that runs in a thread of this process, with the lines of its log."""

    def __init__(self, task: Task, **variables: str) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(TextFormatter())
        self.pid = os.getpid()
        self._task = task
        self._variables = variables
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._end: Finished | BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="task", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line as the log of a task has it."""
        line = self.format(record)
        with self._news:
            self._lines.append(line)
            self._news.notify_all()

    def wait_for(self, pattern: str, count: int = 1) -> str:
        """Return the message that matches, when it has come `count` times."""

        def found() -> list[str]:
            return [text for text in map(message_of, self._lines) if matches(text, pattern)]

        with self._news:
            self._news.wait_for(lambda: len(found()) >= count or self._end is not None, DEADLINE)
            assert len(found()) >= count, (pattern, self._lines, self._end)
            return found()[count - 1]

    def finish(self, timeout: float = DEADLINE) -> Finished:
        """Return how the task has ended; raise what it did not foresee.

        As for a process, neither a traceback nor the owner's password may be shown.
        """
        self._thread.join(timeout)
        assert self._end is not None, ("it does not end", self._lines)
        if isinstance(self._end, BaseException):
            raise self._end
        everything = "\n".join([*self._end.stdout, *self._end.stderr])
        assert "Traceback" not in everything, everything
        assert PASSWORD not in everything, everything
        return self._end

    def _run(self) -> None:
        end: Finished | BaseException
        try:
            end = self._finished()
        except BaseException as error:  # noqa: BLE001 (raised again by `finish`)
            end = error
        with self._news:
            self._end = end
            self._news.notify_all()

    def _finished(self) -> Finished:
        with self._logged():
            try:
                boot = load_settings(self._variables, _NO_FILE).description()
                with keeping_one(boot.migration_database_url):
                    printed = self._task(boot) or ""
            except BootError as error:
                return Finished(error.exit_status, tuple(self._lines), (mask(str(error)),))
        return Finished(0, (*self._lines, *printed.splitlines()), (), printed)

    @contextmanager
    def _logged(self) -> Iterator[None]:
        """Have the log's lines, at the levels of a task's own log."""
        assert _AT_WORK.acquire(blocking=False), "a task is running in this process already"
        root, alembic = logging.root, logging.getLogger("alembic")
        levels = root.level, alembic.level
        root.setLevel(logging.INFO)
        alembic.setLevel(logging.WARNING)
        root.addHandler(self)
        try:
            yield
        finally:
            root.removeHandler(self)
            root.setLevel(levels[0])
            alembic.setLevel(levels[1])
            _AT_WORK.release()


def run(task: Task, **variables: str) -> Finished:
    """Run a task to its end."""
    return Run(task, **variables).finish()


def run_in(folder: Path, task: Task, **variables: str) -> Finished:
    """Run a task on the project whose alembic.ini is in a folder."""
    return run(task, ALEMBIC_CONFIG=str(folder / "alembic.ini"), **variables)


@contextmanager
def databases_at_first(folder: Path) -> Iterator[Callable[[Cluster], str]]:
    """Give what makes, once a server, a database at a scene's first revision: to be cloned."""
    made: dict[int, str] = {}
    with ExitStack() as stack:

        def template(cluster: Cluster) -> str:
            if cluster.port not in made:
                name = stack.enter_context(cluster.database())
                scene = scene_of(cluster, name, folder / name, "pass", partial(Run, migrating))
                scene.start(MIGRATION_TARGET="a1").finish().assert_ok()
                made[cluster.port] = name
            return made[cluster.port]

        yield template


@dataclass(frozen=True)
class Theirs(Migrated):
    """An Alembic project unlike ours beside its database, and the tasks pointed at both."""

    project: ForeignProject
    url: str
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, task: Task, **variables: str) -> Finished:
        """Run a task on the project."""
        known = {"ALEMBIC_CONFIG": str(self.project.config), "DATABASE_URL": self.url}
        return run(task, **{**known, **self.variables, **variables})

    def migrate(self, **variables: str) -> Finished:
        """Bring the database to its target."""
        return self.run(migrating, **variables)

    def roll_back(self, target: str) -> Finished:
        """Take the database back to a revision."""
        return self.run(rolling_back, MIGRATION_TARGET=target, MIGRATION_ROLLBACK="true")

    def status(self) -> dict[str, object]:
        """Return what `inv status --json` says."""
        finished = self.run(reading_status)
        assert finished.status == 0, finished
        found: dict[str, object] = json.loads(finished.stdout[-1])
        return found


def theirs(
    folder: Path,
    url: str,
    *,
    env: str = FOREIGN_ENV,
    ini: str = FOREIGN_INI,
    ini_name: str = "alembic.ini",
    **variables: str,
) -> Theirs:
    """Make an empty project in a folder of its own."""
    return Theirs(ForeignProject(folder / "theirs", env, ini, ini_name), url, variables)
