"""Starters that run at the same time, of whatever kind: one works, and all end well."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from signal import SIGTERM

import pytest
from psycopg2.extensions import connection as Connection

from alembic_boot.postgres import advisory
from alembic_boot.postgres.advisory import AdvisoryKey
from tests.cluster import Cluster
from tests.history import HEAD, OURS
from tests.pgbouncer import running_pgbouncer
from tests.proxy import Proxy
from tests.scenarios.process import (
    DEADLINE,
    Finished,
    Running,
    matches,
    project,
    revisions,
    running,
    write_revision,
)
from tests.scenarios.starters import Starter, Zygote

pytestmark = pytest.mark.slow

ALEMBIC = Path(sys.executable).parent / "alembic"


THE_LOCK = AdvisoryKey.named("schema", "public", "alembic_version")

STARTERS = 16

UP_TO_DATE = "Database migrations completed successfully (already up to date)"

GATE = 42
"""The advisory lock that a planted revision waits for."""


def journal(cluster: Cluster, database: str) -> list[tuple[object, ...]]:
    """Return revision, direction, status and process of all rows."""
    return cluster.query(
        "SELECT revision, direction, status, pid FROM schema_journal ORDER BY id", database
    )


def assert_journalled_once(cluster: Cluster, database: str, history: Sequence[str] = OURS) -> None:
    """Fail unless each of these revisions has been tried once, and applied."""
    rows = [row[:3] for row in journal(cluster, database)]
    assert rows == [(revision, "upgrade", "applied") for revision in history]


def race(zygote: Zygote, folder: Path, task: str, url: str) -> list[tuple[Starter, Finished]]:
    """Run a task many times at once to the end, each without a complaint."""
    racing = [zygote.spawn(folder, task, barrier=True, DATABASE_URL=url) for _ in range(STARTERS)]
    zygote.release()
    finished = [(starter, starter.finish()) for starter in racing]
    for _, end in finished:
        end.assert_ok()
    return finished


def count(finished: Finished, pattern: str) -> int:
    return sum(matches(message, pattern) for message in finished.messages)


def assert_one_migrates(
    cluster: Cluster, database: str, zygote: Zygote, folder: Path, url: str, at: str | None
) -> None:
    """Race on an empty database, or on one that is at a revision; one starter does all."""
    if at is not None:
        zygote.spawn(folder, "migrate", "--target", at, DATABASE_URL=url).finish().assert_ok()
    before = OURS.index(at) + 1 if at else 0
    finished = race(zygote, folder, "migrate", url)
    [winner] = [starter for starter, end in finished if count(end, "Applied …")]
    for starter, end in finished:
        is_winner = starter == winner
        assert count(end, "Applied …") == (len(OURS) - before if is_winner else 0), end
        assert count(end, UP_TO_DATE) == (0 if is_winner else 1), end
        assert count(end, f"Schema revision: {HEAD} (head)") == 1, end
    assert_journalled_once(cluster, database)
    workers = [row[3] for row in journal(cluster, database)[before:]]
    assert workers == [winner.pid] * len(workers)
    assert revisions(cluster, database) == [HEAD]


@pytest.mark.parametrize(("version", "at"), [(18, None), (18, "004"), (16, None)])
def test_one_of_many_migrates(
    tmp_path: Path,
    cluster_of: Callable[[int], Cluster],
    zygote: Zygote,
    version: int,
    at: str | None,
) -> None:
    """Of many that start at one instant one brings the schema to head, and the others see it."""
    cluster = cluster_of(version)
    with cluster.database() as name:
        url = cluster.url(name)
        assert_one_migrates(cluster, name, zygote, project(tmp_path), url, at)


def test_one_of_many_migrates_through_pgbouncer(
    tmp_path: Path,
    debian_cluster: Cluster,
    pgbouncer: Callable[[str], str],
    zygote: Zygote,
) -> None:
    """A pooler that lends connections by the transaction changes nothing, and keeps no lock."""
    with debian_cluster.database() as name:
        url = pgbouncer(name)
        assert_one_migrates(debian_cluster, name, zygote, project(tmp_path), url, "004")
        assert advisory_locks(debian_cluster, name) == []


def test_a_pool_smaller_than_the_starters(
    tmp_path: Path, debian_cluster: Cluster, zygote: Zygote
) -> None:
    """Starters do not hold the pooler's last connections while each needs one more."""
    bouncer = running_pgbouncer(
        tmp_path / "pgbouncer", debian_cluster.port, default_pool_size=4, query_wait_timeout=20
    )
    with bouncer as port, debian_cluster.database() as name:
        url = debian_cluster.url(name, port=port)
        assert_one_migrates(debian_cluster, name, zygote, project(tmp_path), url, None)


def advisory_locks(cluster: Cluster, database: str) -> list[tuple[object, ...]]:
    """Return all advisory locks of a database, held or waited for: the key's halves and which."""
    return cluster.query(
        "SELECT classid::bigint, objid::bigint, granted FROM pg_locks"
        " WHERE locktype = 'advisory' AND database ="
        " (SELECT oid FROM pg_database WHERE datname = current_database())",
        database,
    )


@pytest.mark.parametrize("at", [None, "004"])
def test_overtaken_at_every_statement(
    tmp_path: Path, cluster: Cluster, zygote: Zygote, at: str | None
) -> None:
    """Whatever a starter has seen already when another one migrates, it ends well.

    What it looks at before it has the lock moves under its eyes: it must never put together what
    was there before with what was there after.
    """
    folder = project(tmp_path)
    # A starter that stands still in a look keeps its snapshot, and a concurrent build waits for it.
    [concurrent] = (folder / "alembic" / "versions").glob(f"{HEAD}_*.py")
    concurrent.unlink()
    with cluster.database() as behind:
        if at is not None:
            zygote.spawn(
                folder, "migrate", "--target", at, DATABASE_URL=cluster.url(behind)
            ).finish().assert_ok()
        looks = looks_before_the_lock(cluster, behind, zygote, folder)

        def failure_of(number: int) -> str | None:
            with cluster.database(template=behind) as name:
                finished = overtaken(cluster, name, zygote, folder, number)
                assert_journalled_once(cluster, name, OURS[:-1])
            if (finished.status, finished.messages.count(UP_TO_DATE)) == (0, 1):
                return None
            return f"before statement {number}, {' '.join(looks[number].split())}: {finished}"

        with ThreadPoolExecutor(4) as pool:
            failures = [failure for failure in pool.map(failure_of, range(len(looks))) if failure]
        assert not failures, "\n\n".join(failures)


def looks_before_the_lock(
    cluster: Cluster, template: str, zygote: Zygote, folder: Path
) -> list[str]:
    """Return the statements of a starter up to the one that takes the lock."""
    statements: list[str] = []
    with (
        cluster.database(template=template) as name,
        Proxy(cluster.port, on_query=lambda _, statement: statements.append(statement)) as proxy,
    ):
        url = cluster.url(name, port=proxy.port)
        zygote.spawn(folder, "migrate", DATABASE_URL=url).finish().assert_ok()
    [takes_lock, *_] = [n for n, text in enumerate(statements) if str(THE_LOCK.number) in text]
    return statements[: takes_lock + 1]


def overtaken(
    cluster: Cluster, database: str, zygote: Zygote, folder: Path, number: int
) -> Finished:
    """Run a starter; another one runs from start to end before this statement of its."""

    def overtake(at: int, _statement: str) -> None:
        if at == number:
            other = zygote.spawn(folder, "migrate", DATABASE_URL=cluster.url(database))
            other.finish().assert_ok()

    with Proxy(cluster.port, on_query=overtake) as proxy:
        url = cluster.url(database, port=proxy.port)
        return zygote.spawn(folder, "migrate", DATABASE_URL=url).finish()


def books(cluster: Cluster, database: str) -> int:
    [[number]] = cluster.query("SELECT count(*) FROM books", database)
    assert isinstance(number, int)
    return number


def test_one_of_several_starts_seeds(tmp_path: Path, cluster: Cluster, database: str) -> None:
    """Several services that start together all serve, on data that was inserted once."""
    folder = project(tmp_path)
    variables = {"DATABASE_URL": cluster.url(database), "BACKEND_PORT": "0"}
    with ExitStack() as stack:
        services = [
            stack.enter_context(running(folder, "start", stdin="", **variables)) for _ in range(4)
        ]
        for service in services:
            service.wait_for("Serving on …")
        assert books(cluster, database) == 2
        for service in services:
            service.signal(SIGTERM)
        finished = [service.finish() for service in services]
    assert [end.status for end in finished] == [0] * 4, finished
    seeded = [count(end, "Initial data seeded (66 rows)") for end in finished]
    complete = [count(end, "Initial data is complete already") for end in finished]
    assert sorted(seeded) == [0, 0, 0, 1], finished
    assert [a + b for a, b in zip(seeded, complete, strict=True)] == [1] * 4, finished
    assert_journalled_once(cluster, database)


def test_one_of_many_seeds(tmp_path: Path, cluster: Cluster, zygote: Zygote) -> None:
    """Of many that seed at one instant one inserts the data, and the others find it."""
    folder = project(tmp_path)
    with cluster.database() as name:
        url = cluster.url(name)
        zygote.spawn(folder, "migrate", DATABASE_URL=url).finish().assert_ok()
        finished = [end for _, end in race(zygote, folder, "seed", url)]
        assert sum(count(end, "Initial data seeded (66 rows)") for end in finished) == 1
        found = sum(count(end, "Initial data is complete already") for end in finished)
        assert found == STARTERS - 1
        assert books(cluster, name) == 2


@contextmanager
def holding_the_lock(connection: Connection) -> Iterator[None]:
    """Hold the schema's lock, as another starter would."""
    connection.autocommit = True
    advisory.begin(connection)
    assert advisory.try_lock(connection, THE_LOCK)
    yield
    advisory.end(connection)


def test_who_waits_goes_on_when_the_lock_is_free(
    tmp_path: Path, cluster: Cluster, database: str, zygote: Zygote
) -> None:
    """A holder that ends without having done the work leaves it to those who wait."""
    folder, url = project(tmp_path), cluster.url(database)
    zygote.spawn(folder, "migrate", "--target", "004", DATABASE_URL=url).finish().assert_ok()
    with closing(cluster.connect(database)) as holder:
        with holding_the_lock(holder):
            waiting = zygote.spawn(folder, "migrate", DATABASE_URL=url)
            waiting.wait_for("Waiting for another starter (…)")
        finished = waiting.finish()
    finished.assert_ok()
    finished.assert_says(
        "Waiting for another starter (…)", "Applied …", f"Schema revision: {HEAD}…"
    )
    assert_journalled_once(cluster, database)


@contextmanager
def alembic_by_hand(folder: Path, url: str) -> Iterator[Running]:
    """Run `alembic upgrade head` as people type it; what is left at the end is killed by its id."""
    process = subprocess.Popen(
        [str(ALEMBIC), "upgrade", "head"],
        cwd=folder,
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(folder),
            "DATABASE_URL": url,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )
    with process:
        started = Running(process, folder, {})
        try:
            yield started
        finally:
            started.kill()


@contextmanager
def closed_gate(cluster: Cluster, database: str) -> Iterator[Connection]:
    """Keep the planted revision waiting until the lock on this connection is given up."""
    with closing(cluster.connect(database)) as connection:
        connection.cursor().execute(f"SELECT pg_advisory_lock({GATE})")
        yield connection


def open_gate(connection: Connection) -> None:
    connection.cursor().execute(f"SELECT pg_advisory_unlock({GATE})")


def await_arrival_at_gate(cluster: Cluster, database: str) -> None:
    """Return as soon as somebody is in the planted revision."""
    deadline = time.monotonic() + DEADLINE
    while (0, GATE, False) not in advisory_locks(cluster, database):
        assert time.monotonic() < deadline, advisory_locks(cluster, database)
        time.sleep(0.02)


@pytest.fixture
def at_008(
    tmp_path: Path, cluster: Cluster, zygote: Zygote
) -> Iterator[tuple[Path, Cluster, str, str]]:
    """Give a project with a revision that waits at the gate, and a database just before it."""
    folder = project(tmp_path)
    with cluster.database() as name:
        url = cluster.url(name)
        zygote.spawn(folder, "migrate", DATABASE_URL=url).finish().assert_ok()
        write_revision(
            folder / "alembic" / "versions",
            "901",
            HEAD,
            'op.execute("SET LOCAL lock_timeout = 0")\n'
            f'op.execute("SELECT pg_advisory_lock({GATE})")\n'
            'op.execute("CREATE TABLE t ()")',
        )
        yield folder, cluster, name, url


def test_by_hand_waits_for_a_starter(
    at_008: tuple[Path, Cluster, str, str], zygote: Zygote
) -> None:
    """`alembic upgrade head` waits for the starter at work, and then has nothing left to do."""
    folder, cluster, name, url = at_008
    with closed_gate(cluster, name) as gate:
        starter = zygote.spawn(folder, "migrate", DATABASE_URL=url)
        await_arrival_at_gate(cluster, name)
        with alembic_by_hand(folder, url) as by_hand:
            by_hand.wait_for(
                f"…Waiting for another starter (host …, process {starter.pid}, since …, at 901)"
            )
            open_gate(gate)
            assert by_hand.finish().status == 0
        finished = starter.finish()
    finished.assert_ok()
    finished.assert_says("Applied 901 …", "Schema revision: 901 (head)")
    assert journal(cluster, name)[len(OURS) :] == [("901", "upgrade", "applied", starter.pid)]
    assert revisions(cluster, name) == ["901"]


def test_a_starter_waits_for_who_works_by_hand(
    at_008: tuple[Path, Cluster, str, str], zygote: Zygote
) -> None:
    """A starter waits for `alembic upgrade head`, names it, and finds its row in the journal."""
    folder, cluster, name, url = at_008
    with closed_gate(cluster, name) as gate, alembic_by_hand(folder, url) as by_hand:
        await_arrival_at_gate(cluster, name)
        starter = zygote.spawn(folder, "migrate", DATABASE_URL=url)
        starter.wait_for(
            f"Waiting for another starter (host …, process {by_hand.pid}, since …, at 901)"
        )
        open_gate(gate)
        assert by_hand.finish().status == 0
        finished = starter.finish()
    finished.assert_ok()
    finished.assert_says("Waiting for another starter (…)", UP_TO_DATE)
    assert journal(cluster, name)[len(OURS) :] == [("901", "upgrade", "applied", by_hand.pid)]
    assert revisions(cluster, name) == ["901"]


def test_by_hand_writes_the_journal_from_the_start(
    tmp_path: Path, cluster: Cluster, database: str
) -> None:
    """`alembic upgrade head` on an empty database leaves what a starter would have left."""
    with alembic_by_hand(project(tmp_path), cluster.url(database)) as by_hand:
        assert by_hand.finish().status == 0
    assert_journalled_once(cluster, database)
    assert {row[3] for row in journal(cluster, database)} == {by_hand.pid}
