"""A PostgreSQL that takes what it is asked, and answers nothing: nobody waits for ever."""

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from backend.api.database import opened_engine
from backend.main import create_app
from tests.api.application_settings import settings_for
from tests.api.paths import BOOKS
from tests.api.people import sign_up
from tests.api.sentences import DATABASE_AWAY
from tests.api.server import serving
from tests.cluster import Cluster
from tests.proxy import Proxy
from tests.waiting import LONG, SOON

pytestmark = pytest.mark.slow


@contextmanager
def mute_after(proxy: Proxy, part: str) -> Iterator[None]:
    """Have nothing come through any more once a statement with this in it has."""

    def fall_silent(_number: int, sql: str) -> None:
        if part in sql:
            proxy.blackhole()

    proxy.after_query = fall_silent
    try:
        yield
    finally:
        proxy.after_query = None
        proxy.heal()


@pytest.fixture
def proxy(cluster: Cluster) -> Iterator[Proxy]:
    with Proxy(cluster.port) as proxy:
        yield proxy


@pytest.fixture
def client(cluster: Cluster, seeded_url: str, proxy: Proxy) -> Iterator[httpx.Client]:
    url = cluster.url(seeded_url.rpartition("/")[2], port=proxy.port)
    with serving(create_app(settings_for(url))) as client:
        yield client


@pytest.mark.parametrize("part", ["FROM pages", "INSERT INTO books", "COMMIT"])
def test_a_statement_without_an_answer_is_given_up(
    client: httpx.Client, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """By 503; others are answered meanwhile, and all is as before when it answers again."""
    person = sign_up(client)
    book = person.make("books")["id"]
    with monkeypatch.context() as patched, mute_after(proxy, part):
        patched.setattr("backend.api.bounded_connection._SILENCE", 1.0)
        if part == "FROM pages":
            answer = person.ask("GET", f"{BOOKS}/{book}")
        else:
            answer = person.ask("POST", BOOKS, {"title": "Up"})
        assert client.get("/health/live").status_code == 200
    assert (answer.status_code, answer.json()["detail"]) == (503, DATABASE_AWAY)
    assert person.ask("GET", f"{BOOKS}/{book}").status_code == 200


def test_connections_that_are_stopped_are_replaced(cluster: Cluster, seeded_url: str) -> None:
    """While the server itself is well, nobody is refused for those of the pool."""
    of_pool = (
        "SELECT pid FROM pg_stat_activity WHERE application_name ~ '^moriai [0-9]'"
        f" AND datname = '{seeded_url.rpartition('/')[2]}'"
    )
    with serving(create_app(settings_for(seeded_url))) as client:
        assert client.get(f"{BOOKS}?limit=1").status_code == 200
        stopped = [int(str(pid)) for (pid,) in cluster.query(of_pool)]
        assert stopped
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            assert client.get(f"{BOOKS}?limit=2").status_code == 200
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)


def test_what_still_waits_is_cut_at_the_end(
    seeded_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As does a thread whose request was cut off: the process would wait for it."""
    monkeypatch.setattr("backend.api.bounded_connection._SILENCE", 2 * LONG)
    monkeypatch.setattr("backend.api.database._STATEMENT_TIMEOUT", round(2 * LONG * 1000))
    has_begun = threading.Event()
    with ThreadPoolExecutor() as pool:
        with opened_engine(settings_for(seeded_url).description().database_url) as engine:

            def wait() -> None:
                with engine.connect() as connection:
                    has_begun.set()
                    connection.execute(text(f"SELECT pg_sleep({LONG})"))

            waiting = pool.submit(wait)
            assert has_begun.wait(SOON)
            with engine.connect() as connection:
                asleep = text("SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
                while not connection.execute(asleep).all():
                    pass
        with pytest.raises(OperationalError):
            waiting.result()
