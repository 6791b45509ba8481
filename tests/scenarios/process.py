"""Run `inv` as people do: a real process, an environment from scratch, every line kept.

Whatever a test runs here is checked for what no run may ever show: a traceback or a password.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent, indent
from typing import Protocol
from urllib.parse import unquote

from alembic_boot.errors import MigrationFailedError
from backend.stack.engine.labels import RUN_VARIABLE
from tests.cluster import PASSWORD, Cluster

ROOT = Path(__file__).parents[2]
INV = Path(sys.executable).parent / "inv"

DEADLINE = 60.0
"""Seconds after which something that should have happened has not: generous, never measured."""

MIGRATION_FAILED = MigrationFailedError.words.format("`inv migrate`")
"""What readiness says of it if PATH leads to `inv`."""

_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (?P<level>[A-Z]+) +(?P<message>.*)")
_URL_PASSWORD = re.compile(r"://[^:/@]*:(?P<password>[^/@]+)@")
_SECRETS = ("POSTGRES_PASSWORD", "JWT_SECRET")


def matches(text: str, pattern: str) -> bool:
    """Whether the whole text is the pattern, in which `…` stands for anything."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("…"))), text) is not None


def contains_in_order(lines: Sequence[str], patterns: Sequence[str]) -> bool:
    """Whether the patterns match lines in this order, with others between them or not."""
    rest = iter(lines)
    return all(any(matches(line, pattern) for line in rest) for pattern in patterns)


@dataclass(frozen=True)
class Finished:
    """What a process said and how it ended."""

    status: int
    stdout: tuple[str, ...]
    stderr: tuple[str, ...]
    printed: str = ""
    """What a task in this process has printed as data; of a process, stdout has it."""

    @property
    def messages(self) -> list[str]:
        """The lines of stdout without time and level."""
        return [message_of(line) for line in self.stdout]

    def assert_ok(self) -> None:
        """Fail unless it ended well and had nothing to complain about."""
        assert (self.status, self.stderr) == (0, ()), self

    def assert_secret(self, secrets: frozenset[str]) -> None:
        """Fail if any of these was said."""
        everything = "\n".join([*self.stdout, *self.stderr])
        assert not [secret for secret in secrets if secret in everything], everything

    def assert_failed(self, status: int, sentence: str) -> None:
        """Fail unless it ended with this status and, on stderr, with this sentence alone."""
        assert self.status == status, self
        assert len(self.stderr) == 1, self
        assert matches(self.stderr[-1], sentence), self.stderr[-1]

    def assert_says(self, *patterns: str) -> None:
        """Fail unless stdout's messages have these in this order."""
        assert contains_in_order(self.messages, patterns), self.messages

    def assert_never_says(self, pattern: str) -> None:
        """Fail if a line of stdout or stderr matches."""
        lines = [message_of(line) for line in (*self.stdout, *self.stderr)]
        assert not [line for line in lines if matches(line, pattern)]


def message_of(line: str) -> str:
    """Return a line of the log without its time and level; of a JSON line, its message."""
    if line.startswith("{"):
        return str(json.loads(line)["message"])
    match = _LINE.fullmatch(line)
    return match["message"] if match else line


forked_start: "Callable[..., Child] | None" = None
"""Starts `inv` in a process that is forked from one which has imported everything already."""


def run(folder: Path, *arguments: str, stdin: str = "", **variables: str) -> Finished:
    """Run `inv` with these arguments to its end; the environment is `variables`."""
    with running(folder, *arguments, stdin=stdin, **variables) as process:
        return process.finish()


@contextmanager
def running(
    folder: Path,
    *arguments: str,
    stdin: str = "",
    before: Sequence[str] = (),
    **variables: str,
) -> Iterator["Running"]:
    """Start `inv` in the background; whatever is left of it at the end is killed by its id.

    `before` are the words of a program that becomes `inv`.
    """
    has_our_modules = (folder / "backend").is_symlink()
    if forked_start is not None and has_our_modules and not stdin and not before:
        child = forked_start(folder, *arguments, **variables)
        with _killed(Running(child, folder, variables)) as started:
            yield started
        return
    with running_from_scratch(
        folder, *arguments, stdin=stdin, before=before, **variables
    ) as started:
        yield started


@contextmanager
def running_from_scratch(
    folder: Path,
    *arguments: str,
    stdin: str = "",
    before: Sequence[str] = (),
    **variables: str,
) -> Iterator["Running"]:
    """Do the same, and never fork a process that has imported everything already."""
    process = subprocess.Popen(
        [*before, str(INV), *arguments],
        cwd=folder,
        env={**surroundings(), "HOME": str(folder), **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )
    with process, _killed(Running(process, folder, variables)) as started:
        if process.stdin is not None:
            process.stdin.write(stdin)
            process.stdin.close()
        yield started


@contextmanager
def _killed(started: "Running") -> Iterator["Running"]:
    """Give a process, and kill what is left of it at the end."""
    try:
        yield started
    finally:
        started.kill()


class Child(Protocol):
    """A child process, as subprocess.Popen has it."""

    @property
    def pid(self) -> int:
        """The process's id."""

    @property
    def stdout(self) -> Iterable[str] | None:
        """The lines of its stdout."""

    @property
    def stderr(self) -> Iterable[str] | None:
        """The lines of its stderr."""

    def poll(self) -> int | None:
        """Return its status if it has ended."""

    def wait(self, timeout: float | None = None) -> int:
        """Return its status when it has ended. Raises subprocess.TimeoutExpired."""

    def send_signal(self, sig: int) -> None:
        """Send it a signal."""


class Running:
    """A process in the background: its lines as they come, and what can be done to it."""

    def __init__(
        self,
        process: Child,
        folder: Path,
        variables: Mapping[str, str],
    ) -> None:
        self._process = process
        self._folder = folder
        self._secrets = _secrets(variables)
        self._news = threading.Condition()
        self._lines: dict[str, list[str]] = {"stdout": [], "stderr": []}
        self._readers = [
            threading.Thread(target=self._read, args=(name, stream), daemon=True)
            for name, stream in (("stdout", process.stdout), ("stderr", process.stderr))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, name: str, stream: Iterable[str] | None) -> None:
        for line in stream or ():
            with self._news:
                self._lines[name].append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    @property
    def pid(self) -> int:
        """The process's id, which is that of its group too."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process has not ended, by itself or by a signal."""
        return self._process.poll() is None

    @property
    def url(self) -> str:
        """Where it serves, as it says when it does."""
        line = self.wait_for("Serving on …")
        match = re.search(r"http://\S+", line)
        assert match is not None, line
        return match[0]

    def wait_for(self, pattern: str, count: int = 1) -> str:
        """Return the message that matches, of either stream, when it has come `count` times."""

        def found() -> list[str]:
            lines = [*self._lines["stdout"], *self._lines["stderr"]]
            return [text for text in map(message_of, lines) if matches(text, pattern)]

        def settled() -> bool:
            return len(found()) >= count or not any(r.is_alive() for r in self._readers)

        with self._news:
            self._news.wait_for(settled, DEADLINE)
            assert len(found()) >= count, (pattern, self._lines)
            return found()[count - 1]

    def signal(self, signum: signal.Signals) -> None:
        """Send a signal to the process alone, as a supervisor does."""
        self._process.send_signal(signum)

    def interrupt(self) -> None:
        """Send SIGINT to the whole group, as Ctrl-C in a terminal does."""
        os.killpg(self.pid, signal.SIGINT)

    def finish(self, *, traceback: bool = False, timeout: float = DEADLINE) -> Finished:
        """Return what it said when it has ended; no child of it may still hold its streams.

        `traceback` allows one in the output.
        """
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(("it does not end", self._lines)) from None
        for reader in self._readers:
            reader.join(DEADLINE)
            assert not reader.is_alive(), ("a child holds the streams", _group(self.pid))
        stdout, stderr = self._lines["stdout"], self._lines["stderr"]
        everything = "\n".join([*stdout, *stderr])
        assert traceback or "Traceback" not in everything, everything
        assert not [secret for secret in self._secrets if secret in everything], everything
        assert status == 0 or re.fullmatch(r"\S+ .*[.}]", stderr[-1]), everything
        return Finished(status, tuple(stdout), tuple(stderr))

    def kill(self) -> None:
        """Kill what is still alive of it, with the embedded PostgreSQL that it may have started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        for pid in embedded_servers(self._folder):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGQUIT)

    def assert_nothing_left(self) -> None:
        """Fail if a process that it started is still there shortly after its end."""
        deadline = time.monotonic() + DEADLINE
        while left := [*_group(self.pid), *embedded_servers(self._folder)]:
            assert time.monotonic() < deadline, left
            threading.Event().wait(0.05)


def embedded_servers(folder: Path) -> list[int]:
    """Return the ids of PostgreSQL servers whose data is under the folder."""
    data = f"{folder.resolve()}{os.sep}"
    return [pid for pid, _, command in _processes() if "postgres" in command and data in command]


def _group(pgid: int) -> list[str]:
    return [command for _, group, command in _processes() if group == pgid]


def _processes() -> list[tuple[int, int, str]]:
    """Return id, group and command of all processes; one that only waits to be reaped is gone."""
    listing = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,pgid=,stat=,args="],
        check=True,
        capture_output=True,
        text=True,
    )
    rows = (line.split(None, 3) for line in listing.stdout.splitlines())
    return [(int(row[0]), int(row[1]), row[3]) for row in rows if row[2][0] != "Z"]


def surroundings() -> dict[str, str]:
    """Return what a process has of this one's environment: what it makes is CI's as well."""
    names = ("PATH", RUN_VARIABLE)
    return {"PATH": os.defpath, **{it: os.environ[it] for it in names if it in os.environ}}


def _secrets(variables: Mapping[str, str]) -> frozenset[str]:
    found = {PASSWORD, *(variables[name] for name in _SECRETS if variables.get(name))}
    for name, value in variables.items():
        if name.endswith("_URL") and (match := _URL_PASSWORD.search(value)):
            found |= {match["password"], unquote(match["password"])}
    return frozenset(found)


def project(folder: Path, *, with_models: bool = False) -> Path:
    """Make a folder where `inv` works as in the repository, with a history of its own.

    The history is a copy that a test may break; `with_models` copies the code as well.
    """
    root = folder / "project"
    root.mkdir()
    shutil.copytree(ROOT / "alembic", root / "alembic")
    shutil.copy(ROOT / "alembic.ini", root)
    (root / "tasks.py").symlink_to(ROOT / "tasks.py")
    for package in ("alembic_boot", "backend"):
        if with_models:
            shutil.copytree(ROOT / package, root / package)
        else:
            (root / package).symlink_to(ROOT / package)
    return root


def write_revision(
    versions: Path,
    revision: str,
    parent: str | Sequence[str] | None,
    upgrade: str = "pass",
    downgrade: str = "pass",
    *,
    title: str = "A test's own",
    constants: str = 'phase = "expand"',
) -> Path:
    """Write a revision's file; `upgrade` and `downgrade` are the bodies of the functions."""
    path = versions / f"{revision}_test.py"
    parts = [
        f'"""{title}."""\n',
        "import sqlalchemy as sa\nfrom alembic import op\n",
        f"revision = {revision!r}\ndown_revision = {parent!r}",
        dedent(constants),
        f"\n\ndef upgrade() -> None:\n{indent(dedent(upgrade).strip(), '    ')}",
        f"\n\ndef downgrade() -> None:\n{indent(dedent(downgrade).strip(), '    ')}\n",
    ]
    path.write_text("\n".join(parts), encoding="utf-8")
    return path


FOREIGN_ENV = """
from alembic import context
from sqlalchemy import engine_from_config, pool

config = context.config
connectable = engine_from_config(
    config.get_section(config.config_ini_section, {}),
    prefix="sqlalchemy.",
    poolclass=pool.NullPool,
)
with connectable.connect() as connection:
    context.configure(connection=connection, target_metadata=None)
    with context.begin_transaction():
        context.run_migrations()
"""
"""What an env.py of Alembic's generic template comes down to."""

FOREIGN_INI = """
[alembic]
script_location = %(here)s/scripts
"""

ALEMBIC_LOGGING = """
[loggers]
keys = root,sqlalchemy,alembic
[handlers]
keys = console
[formatters]
keys = generic
[logger_root]
level = WARNING
handlers = console
qualname =
[logger_sqlalchemy]
level = WARNING
handlers =
qualname = sqlalchemy.engine
[logger_alembic]
level = INFO
handlers =
qualname = alembic
[handler_console]
class = StreamHandler
args = (sys.stderr,)
level = NOTSET
formatter = generic
[formatter_generic]
format = %(levelname)-5.5s [%(name)s] %(message)s
datefmt = %H:%M:%S
"""
"""The logging part of the file that `alembic init` writes."""


@dataclass(frozen=True)
class ForeignProject:
    """An Alembic project unlike ours: its own configuration, env.py and history."""

    folder: Path
    env: str = FOREIGN_ENV
    ini: str = FOREIGN_INI
    ini_name: str = "alembic.ini"
    versions: Path = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "versions", self.folder / "scripts" / "versions")
        self.versions.mkdir(parents=True)
        (self.folder / "scripts" / "env.py").write_text(dedent(self.env), encoding="utf-8")
        self.config.write_text(dedent(self.ini), encoding="utf-8")

    @property
    def config(self) -> Path:
        """The configuration file, for ALEMBIC_CONFIG."""
        return self.folder / self.ini_name

    def revision(
        self,
        revision: str,
        parent: str | Sequence[str] | None = None,
        upgrade: str | None = None,
        downgrade: str | None = None,
        *,
        folder: Path | None = None,
        constants: str = "",
    ) -> None:
        """Add a revision, which makes a table of its own name where nothing else is said."""
        write_revision(
            folder or self.versions,
            revision,
            parent,
            f'op.create_table("t_{revision}", sa.Column("id", sa.Integer, primary_key=True))'
            if upgrade is None
            else upgrade,
            f'op.drop_table("t_{revision}")' if downgrade is None else downgrade,
            title=f"Foreign {revision}",
            constants=constants,
        )


def relations(cluster: Cluster, database: str) -> list[str]:
    """Return all tables of a database but PostgreSQL's own and boot's journal."""
    rows = cluster.query(
        "SELECT CASE schemaname WHEN 'public' THEN '' ELSE schemaname || '.' END || tablename"
        " FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        " AND tablename <> 'schema_journal' ORDER BY 1",
        database,
    )
    return [str(name) for (name,) in rows]


def revisions(cluster: Cluster, database: str, table: str = "alembic_version") -> list[str]:
    """Return the recorded revisions of a database; none where nothing is recorded."""
    if table not in relations(cluster, database):
        return []
    rows = cluster.query(f"SELECT version_num FROM {table} ORDER BY 1", database)
    return [str(revision) for (revision,) in rows]


def assert_untouched(cluster: Cluster, database: str) -> None:
    """Fail if anything was made in an empty database."""
    assert relations(cluster, database) == []
