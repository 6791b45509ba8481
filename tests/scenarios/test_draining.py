"""SIGTERM while people use the service: nothing under way is lost, and nobody waits for the end."""

import http.client
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from signal import SIGINT, SIGTERM, Signals
from urllib.parse import urlsplit

import httpx
import psycopg2
import pytest

from tests.api.people import Person, sign_up
from tests.cluster import Cluster
from tests.listening import listens
from tests.proxy import Proxy
from tests.scenarios.process import DEADLINE, Running, project, running
from tests.waiting import SOON, wait_until

pytestmark = pytest.mark.slow

_log = logging.getLogger(__name__)

DRAIN = 10
"""Seconds that requests under way have."""


@pytest.fixture
def database(cluster: Cluster, seeded: str) -> Iterator[str]:
    """Give a database that a start has nothing left to do on."""
    with cluster.database(seeded) as name:
        yield name


@contextmanager
def serving(folder: Path, url: str, **variables: str) -> Iterator[tuple[Running, httpx.Client]]:
    """Start the service, and give it with a client whose connections are kept."""
    settings = {"APP_ENV": "test", "BACKEND_PORT": "0", "DATABASE_URL": url, **variables}
    with running(folder, "start", **settings) as inv:
        inv.wait_for("Backend started", count=int(variables.get("WEB_CONCURRENCY", "1")))
        with httpx.Client(base_url=inv.url, timeout=SOON) as client:
            # A process that listens and has not answered yet is still starting: a signal ends it
            # without a delay, for no balancer knows it.
            assert client.get("/health/live").status_code == 200
            yield inv, client


def address_of(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


def wait_until_refused(url: str) -> None:
    """Return when nothing listens."""
    wait_until(lambda: not listens(address_of(url)))


@contextmanager
def locked(url: str, book: str) -> Iterator[None]:
    """Keep a book from being changed."""
    with closing(psycopg2.connect(url)) as connection:
        connection.cursor().execute("SELECT FROM books WHERE id = %s FOR UPDATE", (book,))
        yield


def wait_for_writer(cluster: Cluster, database: str) -> None:
    """Return when a request waits for the lock."""
    waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = "
    wait_until(lambda: cluster.query(f"{waiting}'{database}'"))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_has_come_is_answered(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str, workers: str
) -> None:
    """A slow request, and a request that comes on a connection that is there before the signal.

    Nothing new is taken in meanwhile. A connection that idles holds nothing up, used or not.
    """
    with (
        serving(project(tmp_path), database_url, WEB_CONCURRENCY=workers) as (inv, client),
        ThreadPoolExecutor() as pool,
        httpx.Client(base_url=inv.url) as idle,
        closing(socket.create_connection(address_of(inv.url))),
        closing(http.client.HTTPConnection(*address_of(inv.url))) as connected,
    ):
        person = sign_up(client)
        book = person.make("books")["id"]
        assert idle.get("/health/live").status_code == 200
        with locked(database_url, book):
            under_way: Future[httpx.Response] = pool.submit(
                person.ask, "PATCH", f"/api/v1/books/{book}", {"title": "In time"}
            )
            wait_for_writer(cluster, database)
            connected.connect()
            inv.signal(SIGTERM)
            wait_until_refused(inv.url)
            connected.request("GET", "/api/v1/books")
            late = connected.getresponse()
            late.read()
            assert not under_way.done()
        answer = under_way.result(SOON)
        finished = inv.finish(timeout=SOON)
    finished.assert_ok()
    assert (answer.status_code, answer.json()["title"]) == (200, "In time")
    assert answer.headers["connection"] == "close"
    assert (late.status, late.getheader("Connection")) == (200, "close")
    finished.assert_says("PATCH /api/v1/books/… 200 (… ms) for … […]", "Backend stopped")
    finished.assert_never_says("Requests that took longer than …")


def test_who_is_cut_off_is_told(tmp_path: Path, database_url: str) -> None:
    """As a problem with the request's id: it is no defect, and not known to have been done.

    The process ends all the same.
    """
    with serving(project(tmp_path), database_url) as (inv, client):
        with closing(http.client.HTTPConnection(*address_of(inv.url))) as connection:
            connection.putrequest("POST", "/api/v1/auth/login")
            connection.putheader("Content-Type", "application/json")
            connection.putheader("Content-Length", "1000")
            connection.putheader("X-Request-ID", "slow-upload")
            connection.endheaders(b"{")
            wait_until_in_flight(client, 2)  # the scrape itself is one of them
            started = time.monotonic()
            inv.signal(SIGTERM)
            answer = connection.getresponse()
            problem = json.loads(answer.read())
        finished = inv.finish(timeout=SOON)
        took = time.monotonic() - started
    finished.assert_ok()
    assert took >= DRAIN
    assert (answer.status, answer.getheader("Connection")) == (503, "close")
    assert answer.getheader("Content-Type") == "application/problem+json"
    assert answer.getheader("X-Request-ID") == "slow-upload"
    assert problem["type"] == "urn:moriai:problem:unavailable"
    assert problem["instance"] == "urn:moriai:request:slow-upload"
    finished.assert_says(
        "POST /api/v1/auth/login 503 (… ms) […]",
        "A request took too long for a stopping process: it was cancelled…",
    )


def wait_until_in_flight(client: httpx.Client, requests: int) -> None:
    """Return when so many requests are being answered."""
    line = f"moriai_http_requests_in_flight {requests}.0"
    wait_until(lambda: line in client.get("/metrics").text)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_balancer_has_time_to_notice(tmp_path: Path, database_url: str, workers: str) -> None:
    """With DRAIN_DELAY: not ready from the signal on, and answering until it is over."""
    delay = 5.0
    settings = {"DRAIN_DELAY": str(delay), "WEB_CONCURRENCY": workers}
    with serving(project(tmp_path), database_url, **settings) as (inv, client):
        kept = client.get("/api/v1/books")
        assert "connection" not in kept.headers
        started = time.monotonic()
        inv.signal(SIGTERM)
        inv.wait_for(f"Draining: taking requests for {delay:g} s more", count=int(workers))
        paths = ("/health/ready", "/health/live", "/api/v1/books")
        ready, live, books = (httpx.get(f"{inv.url}{path}") for path in paths)
        again = client.get("/api/v1/books")
        wait_until_refused(inv.url)
        took = time.monotonic() - started
        finished = inv.finish(timeout=SOON)
    finished.assert_ok()
    assert (ready.status_code, ready.json()["status"]) == (503, "draining")
    assert (live.status_code, books.status_code, again.status_code) == (200, 200, 200)
    assert {it.headers["connection"] for it in (ready, live, books, again)} == {"close"}
    assert took >= delay


@pytest.mark.parametrize(("second", "workers"), [(SIGINT, "1"), (SIGTERM, "1"), (SIGTERM, "2")])
def test_who_is_in_a_hurry_does_not_wait(
    tmp_path: Path, database_url: str, second: Signals, workers: str
) -> None:
    """The delay is for those who balance loads: a second signal ends it."""
    settings = {"DRAIN_DELAY": "60", "WEB_CONCURRENCY": workers}
    with serving(project(tmp_path), database_url, **settings) as (inv, _client):
        inv.signal(SIGTERM)
        inv.wait_for("Draining: …", count=int(workers))
        inv.signal(second)
        finished = inv.finish(timeout=SOON)
    finished.assert_ok()
    finished.assert_says(*["Backend stopped"] * int(workers))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_has_no_delay(tmp_path: Path, database_url: str, workers: str) -> None:
    """Whoever types it waits for the end."""
    settings = {"DRAIN_DELAY": "60", "WEB_CONCURRENCY": workers}
    with serving(project(tmp_path), database_url, **settings) as (inv, _client):
        inv.interrupt()
        finished = inv.finish(timeout=SOON)
    finished.assert_ok()
    finished.assert_says(*["Backend stopped"] * int(workers))


class RetryingClient:
    """Asks one replica after the other; goes on to the next only where nothing can have been lost.

    That is where a connection is refused, or closed before there was any byte of an answer, and
    where a replica says that it is draining, or starting. Anything else is an answer, or a failure.
    """

    def __init__(self, addresses: list[str], token: str) -> None:
        self._addresses = [urlsplit(it).netloc for it in addresses]
        self._connections = [http.client.HTTPConnection(it, timeout=SOON) for it in self._addresses]
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._turn = 0
        self.retried = 0

    def ask(self, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
        """Return status and body of the answer."""
        deadline = time.monotonic() + SOON
        while True:
            self._turn += 1
            connection = self._connections[self._turn % len(self._connections)]
            try:
                connection.request(method, path, body, self._headers)
                answer = connection.getresponse()
            except ConnectionError:  # http.client's RemoteDisconnected is one, too
                connection.close()
            else:
                found = answer.status, answer.read()
                is_elsewhere = b'"draining"' in found[1] or b"The service is starting." in found[1]
                if found[0] != 503 or not is_elsewhere:
                    return found
            self.retried += 1
            assert time.monotonic() < deadline

    def close(self) -> None:
        """Close the connections that were kept."""
        for connection in self._connections:
            connection.close()


def use(client: RetryingClient, name: str, ended: threading.Event, took: list[float]) -> list[str]:
    """Read and write until the end; return what failed.

    A write that was done, and whose answer was lost, fails when it is tried again: for there is
    one of that name already.
    """
    failures = []
    number = 0
    while not ended.is_set():
        number += 1
        voice = f'{{"name": "Mina", "provider_voice_id": "{name}-{number}"}}'
        for expected, request in (
            (200, ("GET", "/api/v1/books")),
            (201, ("POST", "/api/v1/voices", voice)),
        ):
            started = time.monotonic()
            try:
                status, body = client.ask(*request)
            except (OSError, http.client.HTTPException, AssertionError) as error:
                failures.append(f"{request}: {error!r}")
                continue
            took.append(time.monotonic() - started)
            if status != expected:
                failures.append(f"{request}: {status} {body!r}")
    return failures


class Replicas:
    """Two replicas on addresses of their own, which they keep when they are restarted."""

    def __init__(self, folder: Path, database_url: str, stack: ExitStack) -> None:
        self._folder = folder
        self._variables = {
            "APP_ENV": "test",
            "DATABASE_URL": database_url,
            "JWT_SECRET": "a secret that both replicas share",
        }
        self._stack = stack
        self._replicas = [self._start("0"), self._start("0")]
        self.urls = [it.url for it in self._replicas]

    def restart(self, index: int) -> None:
        """Stop a replica as an orchestrator does, and start another in its place."""
        self._replicas[index].signal(SIGTERM)
        self._replicas[index].finish(timeout=SOON).assert_ok()
        self._replicas[index] = self._start(str(urlsplit(self.urls[index]).port))
        self._replicas[index].wait_for("Serving on …")

    def _start(self, port: str) -> Running:
        inv = running(self._folder, "start", BACKEND_PORT=port, **self._variables)
        return self._stack.enter_context(inv)


def test_a_rolling_restart_fails_nobody(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """Two replicas, twice restarted in turn, under load: every request is answered as it should."""
    ended, took = threading.Event(), list[float]()
    with ThreadPoolExecutor() as pool, ExitStack() as stack:
        replicas = Replicas(project(tmp_path), database_url, stack)
        with httpx.Client(base_url=replicas.urls[0], timeout=SOON) as client:
            person: Person = sign_up(client)
        clients = [RetryingClient(replicas.urls, person.token) for _ in range(4)]
        loads = [pool.submit(use, it, f"v{n}", ended, took) for n, it in enumerate(clients)]
        try:
            for index in (0, 1, 0, 1):
                replicas.restart(index)
            wait_until(lambda: len(took) > 100)
        finally:
            ended.set()
        failures = [it for load in loads for it in load.result(2 * SOON)]
        for it in clients:
            it.close()
    assert failures == []
    written = cluster.query("SELECT count(*) FROM voices", database)
    assert written == [(len(took) // 2,)]
    retried = sum(it.retried for it in clients)
    _log.info("%d requests, %d tried again, slowest %.2f s", len(took), retried, max(took))


def test_a_database_that_answers_nothing_holds_no_stop_up(
    tmp_path: Path, cluster: Cluster, database: str
) -> None:
    """Whoever waits for it is told so, and the process ends."""
    with Proxy(cluster.port) as proxy, ThreadPoolExecutor() as pool:
        url = cluster.url(database, port=proxy.port)
        with serving(project(tmp_path), url) as (inv, _):
            proxy.after_query = lambda _, sql: proxy.blackhole() if "FROM books" in sql else None
            waiting: Future[httpx.Response] = pool.submit(
                httpx.get, f"{inv.url}/api/v1/books", timeout=DEADLINE
            )
            with proxy.changed:
                assert proxy.changed.wait_for(lambda: proxy.is_mute, SOON)
            inv.signal(SIGTERM)
            finished = inv.finish(timeout=DEADLINE)
            assert waiting.result(SOON).status_code == 503
    assert finished.status == 0
