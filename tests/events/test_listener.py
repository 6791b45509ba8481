"""The listener on a real PostgreSQL, and on connections that fail as networks do."""

import asyncio
import os
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from alembic_boot.postgres.urls import parse_database_url
from backend.events.event import CHANNEL
from backend.events.listener import Hearers, Listener, listening
from tests.cluster import Cluster, free_port
from tests.proxy import Proxy
from tests.waiting import LONG, SOON, soon, wait_until


@dataclass
class Notes:
    """What a listener has told."""

    payloads: list[str] = field(default_factory=list)
    gaps: int = 0
    news: threading.Condition = field(default_factory=threading.Condition)

    def hear(self, payloads: list[str]) -> None:
        with self.news:
            self.payloads += payloads
            self.news.notify_all()

    def gap(self) -> None:
        with self.news:
            self.gaps += 1
            self.news.notify_all()

    def wait_until(self, condition: Callable[[], bool]) -> None:
        with self.news:
            assert self.news.wait_for(condition, SOON), (self.payloads, self.gaps)


@pytest.fixture(autouse=True)
def _patient_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a stop wait for the thread however busy the machine is."""
    monkeypatch.setattr("backend.events.listener._STOP", SOON)


@contextmanager
def listener_on(url: str, notes: Notes) -> Iterator[Listener]:
    listener = Listener(parse_database_url(url), Hearers(notes.hear, notes.gap))
    listener.start()
    try:
        listener.wait()
        yield listener
    finally:
        with soon():
            listener.stop()
        assert (listener._thread.is_alive(), listener.is_listening) == (False, False)


def tell(cluster: Cluster, database: str, payload: str) -> None:
    cluster.execute(f"NOTIFY {CHANNEL}, '{payload}'", database)


def end_listeners(cluster: Cluster, database: str) -> None:
    [(ended,)] = cluster.query(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        f" WHERE datname = '{database}' AND application_name LIKE 'moriai events%'"
    )
    assert ended == 1


def test_what_is_told_is_heard_in_order(cluster: Cluster, database: str) -> None:
    """Events of other databases are not."""
    notes = Notes()
    with listener_on(cluster.url(database), notes) as listener:
        assert listener.is_listening
        assert notes.gaps == 1
        tell(cluster, "postgres", "elsewhere")
        for number in range(50):
            tell(cluster, database, str(number))
        notes.wait_until(lambda: len(notes.payloads) >= 50)
    assert notes.payloads == [str(number) for number in range(50)]


def test_one_that_was_ended_listens_again(
    cluster: Cluster, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """And tells that something may have been missed, only when it listens again."""
    notes = Notes()
    with listener_on(cluster.url(database), notes) as listener:
        end_listeners(cluster, database)
        notes.wait_until(lambda: notes.gaps == 2)
        wait_until(lambda: listener.is_listening)
        tell(cluster, database, "again")
        notes.wait_until(lambda: notes.payloads == ["again"])
    [line] = [it.getMessage() for it in caplog.records if it.levelname == "WARNING"]
    assert line.startswith("No events are heard, trying again: ")


@pytest.mark.slow
def test_a_silent_connection_is_noticed(cluster: Cluster, database: str) -> None:
    """One that a network has forgotten, which nobody has closed."""
    notes = Notes()
    with (
        Proxy(cluster.port) as proxy,
        listener_on(cluster.url(database, port=proxy.port), notes) as listener,
    ):
        proxy.blackhole()
        wait_until(lambda: not listener.is_listening)
        proxy.heal()
        wait_until(lambda: listener.is_listening)
        assert notes.gaps == 2
        tell(cluster, database, "after")
        notes.wait_until(lambda: notes.payloads == ["after"])


def test_a_server_that_says_nothing_holds_nobody(
    cluster: Cluster, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a start nor a stop waits for its answer."""
    monkeypatch.setattr("backend.events.connection._ANSWER", LONG)
    notes = Notes()
    with Proxy(cluster.port) as proxy:
        proxy.blackhole()
        url = cluster.url(database, port=proxy.port)
        with soon(), listener_on(url, notes) as listener:
            assert not listener.is_listening
        proxy.heal()
    assert notes.gaps == 0


@pytest.mark.parametrize("is_mute", [True, False])
def test_a_server_that_is_away(
    cluster: Cluster, database: str, is_mute: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says it once, whether the server refuses or says nothing."""
    notes = Notes()
    with Proxy(cluster.port) as proxy:
        if is_mute:
            proxy.blackhole()
        port = proxy.port if is_mute else free_port()
        with listener_on(cluster.url(database, port=port), notes) as listener:
            assert not listener.is_listening
            wait_until(lambda: "No events are heard" in caplog.text)
            threading.Event().wait(0.5)  # for more tries, of which nothing is said
        proxy.heal()
    assert caplog.text.count("No events are heard") == 1
    assert "moriai_password" not in caplog.text
    assert notes.gaps == 0


@contextmanager
def many_files(most: int) -> Iterator[None]:
    """Have what is opened in the block get numbers beyond `most`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * most:
        pytest.skip(f"this user may open {hard} files: raise `ulimit -Hn`")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * most), hard))
    opened = [os.open(os.devnull, os.O_RDONLY)]
    try:
        while opened[-1] <= most:
            opened.append(os.dup(opened[0]))
        yield
    finally:
        for number in opened:
            os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_it_listens_where_many_files_are_open(cluster: Cluster, database: str) -> None:
    """As in a process with a thousand clients: `select` knows no file from 1024 on."""
    notes = Notes()
    with many_files(1100), listener_on(cluster.url(database), notes) as listener:
        assert listener.is_listening
        end_listeners(cluster, database)
        notes.wait_until(lambda: notes.gaps == 2)
        wait_until(lambda: listener.is_listening)
        tell(cluster, database, "again")
        notes.wait_until(lambda: notes.payloads == ["again"])


def test_what_nobody_foresaw_ends_no_listener(
    cluster: Cluster, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said once; what may be missing is told, and the listener goes on."""
    notes = Notes()

    def hear(payloads: list[str]) -> None:
        if payloads == ["wrong"]:
            raise RuntimeError("nobody foresaw this")
        notes.hear(payloads)

    listener = Listener(parse_database_url(cluster.url(database)), Hearers(hear, notes.gap))
    listener.start()
    try:
        notes.wait_until(lambda: notes.gaps == 1)
        tell(cluster, database, "wrong")
        notes.wait_until(lambda: notes.gaps == 2)
        wait_until(lambda: listener.is_listening)
        tell(cluster, database, "right")
        notes.wait_until(lambda: notes.payloads == ["right"])
    finally:
        listener.stop()
    [line] = [it.getMessage() for it in caplog.records if it.levelname in ("WARNING", "ERROR")]
    assert line == "No events are heard, trying again: RuntimeError: nobody foresaw this"


def test_a_pooler_is_not_listened_through(
    pgbouncer: Callable[[str], str], debian_cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    """It would lend the process that listens to somebody else, and nothing would be heard."""
    with (
        debian_cluster.database() as name,
        listener_on(pgbouncer(name), Notes()) as listener,
    ):
        assert not listener.is_listening
        wait_until(lambda: "set EVENTS_DATABASE_URL to the server itself" in caplog.text)


def test_a_start_that_is_cut_off_leaves_nothing(
    cluster: Cluster, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop signal can come while the first connection is tried."""
    monkeypatch.setattr("backend.events.listener._START", LONG)
    monkeypatch.setattr("backend.events.connection._ANSWER", LONG)
    before = threads()

    async def main(url: str) -> None:
        notes = Notes()

        async def enter() -> None:
            async with listening(parse_database_url(url), Hearers(notes.hear, notes.gap)):
                raise AssertionError("it cannot listen")

        task = asyncio.create_task(enter())
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with Proxy(cluster.port) as proxy:
        proxy.blackhole()
        with soon():
            asyncio.run(main(cluster.url(database, port=proxy.port)))
        proxy.heal()
    assert threads() == before  # other tests keep applications open


def threads() -> set[int | None]:
    return {it.ident for it in threading.enumerate() if it.name == "events"}
