"""Those who use a database while it is migrated: many briefly, and one for long."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from tests.cluster import Cluster
from tests.scenarios.scene import MAKE_TABLE, SOON, Scene
from tests.waiting import wait_until

ALTER = f'op.execute("ALTER TABLE pace ADD COLUMN more int")\n{MAKE_TABLE}'

HELD_OFF = "Migration b2 Foreign b2 is blocked by {}; retrying for up to 120 s"

_MORE = 200
"""Statements of a session one after another: they take as long as several tries of a migration."""


@dataclass
class Traffic:
    """Sessions that read and write a table all the time, and how long they had to wait for it."""

    reads: list[float] = field(default_factory=list)
    writes: list[float] = field(default_factory=list)
    failures: list[psycopg2.Error] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    """How many statements each session has executed."""

    def wait_for_more(self) -> None:
        """Return when each session has executed many more: none of them is blocked for long."""
        enough = [it + _MORE for it in self.done]
        wait_until(lambda: all(done >= it for done, it in zip(self.done, enough, strict=True)))

    @property
    def longest(self) -> float:
        """The longest that a statement took, in seconds."""
        return max(self.reads + self.writes)


@contextmanager
def traffic(cluster: Cluster, database: str, sessions: int = 3) -> Iterator[Traffic]:
    """Have that many sessions read, and one write, `pace` while the block runs."""
    found = Traffic()
    ended = threading.Event()

    def use(number: int, statement: str, waits: list[float]) -> None:
        with closing(cluster.connect(database)) as connection:
            while not ended.wait(0.005):
                started = time.monotonic()
                try:
                    connection.cursor().execute(statement)
                except psycopg2.Error as error:
                    found.failures.append(error)
                waits.append(time.monotonic() - started)
                found.done[number] += 1

    users = [("UPDATE pace SET seconds = seconds", found.writes)]
    users += [("SELECT seconds FROM pace", found.reads)] * sessions
    found.done = [0] * len(users)
    threads = [threading.Thread(target=use, args=(n, *user)) for n, user in enumerate(users)]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        ended.set()
        for thread in threads:
            thread.join()


@contextmanager
def blocking(
    cluster: Cluster, database: str, statement: str = "SELECT FROM pace", name: str = "report"
) -> Iterator[Connection]:
    """Keep a transaction of the owner's open that has executed the statement."""
    with closing(psycopg2.connect(cluster.url(database))) as connection:
        connection.autocommit = True
        connection.cursor().execute(f"SET application_name = '{name}'; BEGIN")
        connection.cursor().execute(statement)
        yield connection


def wait_until_waited_for(scene: Scene[Any], connection: Connection) -> None:
    """Return as soon as somebody waits for this session."""
    pid = connection.info.backend_pid
    scene.wait_until(
        "SELECT EXISTS (SELECT FROM pg_locks"
        f" WHERE NOT granted AND {pid} = ANY (pg_blocking_pids(pid)))"
    )


def assert_readers_hardly_notice(scene: Scene[Any], cluster: Cluster, blockers: int) -> None:
    """Start behind a long transaction, or several in turn: readers wait for a moment only."""
    with (
        traffic(cluster, scene.database) as found,
        blocking(cluster, scene.database) as first,
    ):
        starter = scene.start()
        said = starter.wait_for(HELD_OFF.format("backend …"))
        who = f"backend {first.info.backend_pid} (report, idle in transaction, query since "
        assert who in said
        current = first
        with ExitStack() as stack:
            for number in range(1, blockers):
                following = stack.enter_context(
                    blocking(cluster, scene.database, name=f"report {number}")
                )
                current.cursor().execute("ROLLBACK")
                current = following
                starter.wait_for(HELD_OFF.format(f"backend … (report {number}, …)"))
            found.wait_for_more()
            current.cursor().execute("ROLLBACK")
            finished = starter.finish(SOON)
    finished.assert_ok()
    finished.assert_says("Migration b2 Foreign b2 succeeded after … s")
    scene.assert_complete()
    assert found.failures == []
    assert scene.journal(first=starter)[1:] == ["b2 applied first", "c3 applied first"]
