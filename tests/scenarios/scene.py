"""A database, a project whose second revision is a test's, and ways to stop a starter anywhere."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGSTOP
from typing import Generic, Protocol, TypeVar

import psycopg2
import pytest

from alembic_boot.postgres.advisory import AdvisoryKey
from tests.cluster import OWNER, Cluster
from tests.scenarios.process import (
    DEADLINE,
    FOREIGN_ENV,
    Finished,
    ForeignProject,
    matches,
    relations,
    revisions,
)
from tests.scenarios.starters import Starter

S = TypeVar("S", bound="Started")

MakeScene = Callable[..., "Scene[Starter]"]

SOON = 20.0
"""Seconds that taking over may take: far less than what it would otherwise have waited for."""

SCHEMA = AdvisoryKey.named("schema", "public", "alembic_version")

GATE = 42
"""The key of the lock that revisions wait for and the test holds.

They share it: one that is through, and left lying, does not keep the next one waiting.
"""

LOST = (
    "The lock on the schema was lost while a revision ran: its session ended. "
    "What the revision's transaction had changed was rolled back. Start again."
)

LOST_ALONE = (
    "The lock on the schema was lost while a revision ran: its session ended. "
    "The answer to its last statement is lost: what that statement has changed may be committed. "
    "Start again."
)
"""The same during a statement that commits itself."""

IN_COMMIT = (
    "The lock on the schema was lost while a revision was being committed: its session ended. "
    "The database has all of that revision or nothing. Start again."
)

STEPS = """
op.execute("CREATE TABLE steps (id int GENERATED ALWAYS AS IDENTITY, name text, backend int)")
op.execute("CREATE TABLE pace AS SELECT 300 AS seconds")
"""

# With a limit of its own, or it would be tried again and again instead of waiting once.
WAIT = (
    'op.execute("SET LOCAL lock_timeout = 0")\n'
    f'op.execute("SELECT pg_advisory_xact_lock_shared({GATE})")'
)


def step(name: str) -> str:
    """Return the statement that leaves a trace of who has executed it."""
    return f"op.execute(\"INSERT INTO steps (name, backend) VALUES ('{name}', pg_backend_pid())\")"


MAKE_TABLE = 'op.create_table("t_b2", sa.Column("id", sa.Integer, primary_key=True))'

WAITING = f"{MAKE_TABLE}\n{WAIT}\n{step('b2')}"

AUTOCOMMIT = f"""
with op.get_context().autocommit_block():
    {step("first")}
    {step("second")}
{MAKE_TABLE}
"""


class Started(Protocol):
    """`inv migrate` under way, in a process of its own or in this one."""

    @property
    def pid(self) -> int:
        """The process's id."""

    def wait_for(self, pattern: str, count: int = 1) -> str:
        """Return the message that matches, when it has come `count` times."""

    def finish(self, timeout: float = DEADLINE) -> Finished:
        """Return what was said when it has ended."""


@dataclass(frozen=True)
class Scene(Generic[S]):
    """A database, and a project of three revisions, the second of which is the test's."""

    cluster: Cluster
    database: str
    foreign: ForeignProject
    migrate: Callable[..., S]
    """Starts `inv migrate` with these variables."""
    user: str = OWNER

    def start(self, port: int | None = None, *, url: str | None = None, **variables: str) -> S:
        """Start a starter, which goes to the server itself or to what stands in front of it."""
        return self.migrate(
            ALEMBIC_CONFIG=str(self.foreign.config),
            APP_ENV="prod",
            DATABASE_URL=url or self.cluster.url(self.database, user=self.user, port=port),
            **variables,
        )

    def query(self, statement: str) -> list[tuple[object, ...]]:
        return self.cluster.query(statement, self.database)

    def wait_until(self, query: str) -> None:
        """Return as soon as the query says true."""
        for _ in range(round(DEADLINE / 0.02)):
            if self.query(query) == [(True,)]:
                return
            threading.Event().wait(0.02)
        pytest.fail(f"never true: {query}")

    def wait_for_end(self, backend: int) -> None:
        self.wait_until(f"SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = {backend}")

    def end_lock_session(self) -> None:
        """End the session that holds the lock, and return when the lock is free."""
        query = f"SELECT pg_terminate_backend(pid, 10000) FROM ({SCHEMA.holder_query}) AS holder"
        assert self.query(query) == [(True,)]

    def backend_of(self, starter: S) -> int:
        """Return the session in which a starter's newest revision runs, or has run."""
        [[backend]] = self.query(
            f"SELECT backend_pid FROM schema_journal WHERE pid = {starter.pid}"
            " ORDER BY id DESC LIMIT 1"
        )
        assert isinstance(backend, int)
        return backend

    def journal(self, **names: S) -> list[str]:
        """Return a line for each row of the journal: its revision, status, and whose it is."""
        known = {starter.pid: name for name, starter in names.items()}
        rows = self.query("SELECT revision, status, pid FROM schema_journal ORDER BY id")
        return [
            f"{revision} {status} {known.get(int(str(pid)), 'other')}"
            for revision, status, pid in rows
        ]

    def statuses(self) -> list[str]:
        """Return revision and status of each row of the journal."""
        rows = self.query("SELECT revision, status FROM schema_journal ORDER BY id")
        return [f"{revision} {status}" for revision, status in rows]

    def errors(self) -> list[str]:
        """Return what the journal says of those that have failed."""
        rows = self.query("SELECT error FROM schema_journal WHERE status = 'failed' ORDER BY id")
        return [str(error) for (error,) in rows]

    def steps(self) -> list[tuple[object, ...]]:
        """Return the traces of who executed what."""
        return self.query("SELECT name, backend FROM steps ORDER BY id")

    def assert_at_first(self) -> None:
        """Fail unless the first revision was kept, and nothing of the second."""
        assert revisions(self.cluster, self.database) == ["a1"]
        assert relations(self.cluster, self.database) == ["alembic_version", "pace", "steps"]
        assert self.steps() == []

    def assert_complete(self) -> None:
        """Fail unless all is there, each revision was applied once, and none is marked running."""
        assert revisions(self.cluster, self.database) == ["c3"]
        expected = ["alembic_version", "pace", "steps", "t_b2", "t_c3"]
        assert relations(self.cluster, self.database) == expected
        rows = self.query("SELECT revision, status FROM schema_journal ORDER BY id")
        assert [row for row, status in rows if status == "applied"] == ["a1", "b2", "c3"], rows
        assert {status for _, status in rows} <= {"applied", "failed"}, rows


def scene_of(
    cluster: Cluster,
    database: str,
    folder: Path,
    body: str,
    migrate: Callable[..., S],
    env: str = FOREIGN_ENV,
) -> Scene[S]:
    """Return a scene whose second revision has this body."""
    foreign = ForeignProject(folder, env=env)
    foreign.revision("a1", None, STEPS)
    foreign.revision("b2", "a1", body)
    foreign.revision("c3", "b2")
    return Scene(cluster, database, foreign, migrate)


@dataclass(frozen=True)
class Gate(Generic[S]):
    """The lock that revisions wait for, held until it is opened."""

    scene: Scene[S]
    connection: psycopg2.extensions.connection = field(repr=False)

    def wait_for(self, starter: S, *, is_pooled: bool = False) -> int:
        """Return the session in which a starter has come to the gate.

        A pooler may lend a transaction another session than the one that the journal has.
        """
        query = (
            "SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid)"
            f" WHERE locktype = 'advisory' AND classid = 0 AND objid = {GATE} AND NOT granted"
            f" AND datname = '{self.scene.database}'"
        )
        self.scene.wait_until(f"SELECT EXISTS ({query})")
        [[backend]] = self.scene.query(query)
        assert is_pooled or backend == self.scene.backend_of(starter)
        assert isinstance(backend, int)
        return backend

    def open(self) -> None:
        self.connection.cursor().execute(f"SELECT pg_advisory_unlock({GATE})")


@contextmanager
def gate_of(scene: Scene[S]) -> Iterator[Gate[S]]:
    with closing(scene.cluster.connect(scene.database)) as connection:
        connection.cursor().execute(f"SELECT pg_advisory_lock({GATE})")
        yield Gate(scene, connection)


class Hold:
    """Suspends a starter at one of its statements, which a proxy then holds until `release`.

    The statement is the first that matches the last of the patterns, after others have matched
    those before it in turn.
    """

    def __init__(self, *patterns: str) -> None:
        self._patterns = list(patterns)
        self._lock = threading.Lock()
        self._starter: Future[Starter] = Future()
        self._is_reached = threading.Event()
        self._is_released = threading.Event()

    def __call__(self, _number: int, statement: str) -> None:
        """See a statement on its way: a proxy's `on_query`."""
        with self._lock:
            if not self._patterns or not matches(" ".join(statement.split()), self._patterns[0]):
                return
            self._patterns.pop(0)
            if self._patterns:
                return
        self._starter.result(DEADLINE).signal(SIGSTOP)
        self._is_reached.set()
        self._is_released.wait()

    def wait_for(self, starter: Starter) -> None:
        """Return when the starter, whose statements these are, is suspended."""
        self._starter.set_result(starter)
        assert self._is_reached.wait(DEADLINE), self._patterns

    def release(self) -> None:
        """Let the statement go on its way."""
        self._is_released.set()


IN_DOUBT = (
    "Migration b2 Foreign b2 was interrupted after it had committed a part of itself (…), "
    "which may do harm if it is repeated. Take that part back and say so with `DELETE FROM "
    '"public"."schema_journal" WHERE id = 2`, or finish the revision by hand and say so with '
    "`inv stamp --revision b2`, or change the file so that it can be run again. Nothing was "
    "changed."
)


def follow_advice(scene: Scene[S]) -> None:
    """Take back what the second revision has left, as the error says."""
    scene.query("DELETE FROM steps WHERE true RETURNING id")
    assert scene.query("DELETE FROM schema_journal WHERE id = 2 RETURNING id") == [(2,)]


def assert_beaten(finished: Finished) -> None:
    """Fail unless it says in one sentence that its work was taken from it."""
    assert finished.status == 5, finished
    assert len(finished.stderr) == 1, finished
    said = (
        LOST,
        LOST_ALONE,
        IN_COMMIT,
        "Migration … failed: … was rolled back. Start again.",
        "Migration … failed: … may be committed. Start again.",
    )
    assert any(matches(finished.stderr[0], pattern) for pattern in said), finished
