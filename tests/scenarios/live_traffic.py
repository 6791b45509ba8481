"""Those who use a database while it is migrated: many briefly, and one for long."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import psycopg2
from psycopg2.extensions import connection as Connection

from tests.cluster import Cluster


@dataclass
class Traffic:
    """Sessions that read and write a table all the time, and how long they had to wait for it."""

    reads: list[float] = field(default_factory=list)
    writes: list[float] = field(default_factory=list)
    failures: list[psycopg2.Error] = field(default_factory=list)

    @property
    def longest(self) -> float:
        """The longest that a statement took, in seconds."""
        return max(self.reads + self.writes)


@contextmanager
def traffic(cluster: Cluster, database: str, sessions: int = 3) -> Iterator[Traffic]:
    """Have that many sessions read, and one write, `pace` while the block runs."""
    found = Traffic()
    ended = threading.Event()

    def use(statement: str, waits: list[float]) -> None:
        with closing(cluster.connect(database)) as connection:
            while not ended.wait(0.005):
                started = time.monotonic()
                try:
                    connection.cursor().execute(statement)
                except psycopg2.Error as error:
                    found.failures.append(error)
                waits.append(time.monotonic() - started)

    users = [("UPDATE pace SET seconds = seconds", found.writes)]
    users += [("SELECT seconds FROM pace", found.reads)] * sessions
    threads = [threading.Thread(target=use, args=user) for user in users]
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
