"""Waiting for a real login: at once where it works or never will, and bounded in between."""

import logging
import socket
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg2 import sql

from alembic_boot.description import BootDescription
from alembic_boot.errors import (
    BootError,
    DatabaseMissingError,
    DatabaseUnreachableError,
    LoginRefusedError,
)
from alembic_boot.postgres.connection import connect, connected, name_sessions
from alembic_boot.postgres.urls import DatabaseUrl, build_database_url, parse_database_url
from alembic_boot.postgres.wait import INTERVAL, create_database, wait_for_database
from alembic_boot.waiting import wait
from backend.settings import load_settings
from tests.boot.postgres.fake_server import fake_server
from tests.cluster import OWNER, PASSWORD, SUPERUSER, Cluster, free_port
from tests.pgbouncer import running_pgbouncer
from tests.waiting import SOON, soon, wait_until

LONG = 60.0
"""Seconds that a wait may take where a test expects it to end long before."""


@contextmanager
def waiting(url: DatabaseUrl) -> Iterator[Future[str]]:
    """Give the outcome of a wait that runs in a thread beside the block."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(wait_for_database, url, LONG)


def superuser(cluster: Cluster) -> DatabaseUrl:
    return parse_database_url(f"postgresql://{SUPERUSER}@127.0.0.1:{cluster.port}/postgres")


def description(url: str, **changes: object) -> BootDescription:
    settings = load_settings({"APP_ENV": "test", "DATABASE_URL": url, "DB_WAIT_TIMEOUT": "60"})
    return replace(settings.description(), **changes)  # type: ignore[arg-type]


def nowhere() -> DatabaseUrl:
    return parse_database_url(f"postgresql://moriai_user:top-secret@127.0.0.1:{free_port()}/books")


class Clock:
    """A clock that moves only when somebody pauses."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "alembic_boot")
    return caplog


@pytest.mark.parametrize("timeout", [0.0, LONG])
def test_ready_at_once(database_url: str, timeout: float, log: pytest.LogCaptureFixture) -> None:
    """A database that is there is found by the first attempt, even where none is waited for."""
    clock = Clock()
    found = wait_for_database(
        parse_database_url(database_url), timeout, clock=clock, pause=clock.pause
    )
    assert clock.pauses == []
    masked = database_url.replace(PASSWORD, "***")
    assert [
        f"Waiting for PostgreSQL... ({masked})",
        f"PostgreSQL is ready ({found}, 0.0 s)",
    ] == log.messages


def test_the_version_is_the_servers(any_cluster: Cluster) -> None:
    """What a login shows is the server's version, without the distribution's words."""
    found = wait_for_database(superuser(any_cluster), 0)
    assert str(any_cluster.version) == found.split(".")[0]
    assert " " not in found


@pytest.mark.slow
def test_a_server_that_starts_meanwhile_is_noticed(
    tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    """Refused, then starting up, then ready: the wait ends with the server's start."""
    cluster = Cluster(tmp_path / "data", 18)
    cluster.create()
    with waiting(superuser(cluster)) as outcome:
        wait_until(lambda: "Not yet: Connection refused (waiting 0 of 60 s)" in log.messages)
        cluster.start()
        try:
            assert outcome.result(SOON).startswith("18")
        finally:
            cluster.stop()


@pytest.mark.slow
def test_a_standby_is_waited_out(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    """A standby takes no writes: the wait goes on until it is promoted."""
    cluster = Cluster(tmp_path / "data", 18)
    cluster.create()
    cluster.start()  # as a primary, so that its log holds its settings
    cluster.stop("fast")
    (cluster.folder / "standby.signal").touch()
    cluster.start()
    try:
        with waiting(superuser(cluster)) as outcome:
            said = "Not yet: it is a standby, and this needs the primary (waiting 0 of 60 s)"
            wait_until(lambda: said in log.messages)
            assert not outcome.done()
            cluster.execute("SELECT pg_promote()")
            assert outcome.result(SOON).startswith("18")
    finally:
        cluster.stop()


def test_a_slot_that_becomes_free_is_noticed(
    cluster: Cluster, log: pytest.LogCaptureFixture
) -> None:
    """Too many connections pass: the wait ends when one of them does."""
    cluster.execute(f"CREATE ROLE one_at_a_time LOGIN CONNECTION LIMIT 1 PASSWORD '{PASSWORD}'")
    url = parse_database_url(cluster.url("postgres", user="one_at_a_time"))
    try:
        held = connect(url)
        with waiting(url) as outcome:
            wait_until(
                lambda: any("too many connections for role" in line for line in log.messages)
            )
            assert not outcome.done()
            held.close()
            outcome.result(SOON)
    finally:
        cluster.execute("DROP ROLE one_at_a_time")


class TestTimeOut:
    def test_the_last_cause_is_told(self) -> None:
        """When the time is up, one sentence says where, how long and why, and what to do."""
        url = nowhere()
        with pytest.raises(DatabaseUnreachableError) as caught:
            wait_for_database(url, 0.2)
        port = url.parameters["port"]
        assert (
            f"PostgreSQL at postgresql://moriai_user:***@127.0.0.1:{port}/books was not reachable "
            "within 0.2 s: Connection refused. Start it, or fix DATABASE_URL; "
            "DB_WAIT_TIMEOUT sets how long to wait.",
            3,
        ) == (str(caught.value), caught.value.exit_status)

    def test_no_time_is_one_attempt(self) -> None:
        """A time-out of zero asks once and does not pause."""
        clock = Clock()
        with pytest.raises(DatabaseUnreachableError) as caught:
            wait_for_database(nowhere(), 0, clock=clock, pause=clock.pause)
        assert clock.pauses == []
        assert " is not reachable: Connection refused. Start it, " in str(caught.value)
        assert "DB_WAIT_TIMEOUT" not in str(caught.value)

    @pytest.mark.parametrize("timeout", [0.02, 1.0, 7.52])
    def test_the_loop_is_bounded(self, timeout: float) -> None:
        """The attempts come an interval apart and never go past the time-out."""
        clock = Clock()
        with pytest.raises(DatabaseUnreachableError):
            wait_for_database(nowhere(), timeout, clock=clock, pause=clock.pause)
        assert timeout == pytest.approx(sum(clock.pauses))
        assert max(clock.pauses) <= INTERVAL
        assert timeout / INTERVAL + 2 > len(clock.pauses)

    def test_an_unchanged_cause_is_said_now_and_then(self, log: pytest.LogCaptureFixture) -> None:
        """The same cause is said at first and every five seconds, not at each attempt."""
        clock = Clock()
        with pytest.raises(DatabaseUnreachableError):
            wait_for_database(nowhere(), 12, clock=clock, pause=clock.pause)
        assert [
            f"Not yet: Connection refused (waiting {seconds} of 12 s)" for seconds in (0, 5, 10)
        ] == log.messages[1:]

    def test_a_server_that_never_answers(self) -> None:
        """Where packets vanish, the wait still ends with its time."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"postgresql://u:top-secret@127.0.0.1:{listener.getsockname()[1]}/d"
            with soon(), pytest.raises(DatabaseUnreachableError) as caught:
                wait_for_database(parse_database_url(url), 0.3)
        expected = url.replace("top-secret", "***")
        assert str(caught.value) == (
            f"PostgreSQL at {expected} was not reachable within 0.3 s: no answer within 0.3 s. "
            "Start it, or fix DATABASE_URL; "
            "DB_WAIT_TIMEOUT sets how long to wait."
        )


class TestNever:
    @pytest.mark.parametrize(
        ("login", "rest", "cause"),
        [
            (
                f"{OWNER}:top-secret",
                "postgres",
                f'password authentication failed for user "{OWNER}"',
            ),
            (
                "nobody:top-secret",
                "postgres",
                'password authentication failed for user "nobody"',
            ),
            (
                f"{OWNER}:{PASSWORD}",
                "postgres?sslmode=require",
                "server does not support SSL, but SSL was required",
            ),
        ],
    )
    def test_a_login_refused(self, cluster: Cluster, login: str, rest: str, cause: str) -> None:
        """What waiting would not change ends it at the first answer, with what to fix."""
        clock = Clock()
        url = parse_database_url(f"postgresql://{login}@127.0.0.1:{cluster.port}/{rest}")
        with pytest.raises(LoginRefusedError) as caught:
            wait_for_database(url, LONG, clock=clock, pause=clock.pause)
        assert (clock.pauses, caught.value.exit_status) == ([], 4)
        said = str(caught.value).replace("FATAL:  ", "")
        assert (
            f"PostgreSQL refused the login at {url.masked}: {cause}. Correct the role, the "
            "password, the TLS settings or the options in DATABASE_URL."
        ) == said
        assert "top-secret" not in said

    def test_a_login_made_of_parts(self, cluster: Cluster) -> None:
        """Where a container's settings make the login, an old volume may have another password."""
        url = build_database_url(
            host="127.0.0.1",
            port=str(cluster.port),
            user=OWNER,
            password="changed-meanwhile",
            database="postgres",
        )
        with pytest.raises(LoginRefusedError) as caught:
            wait_for_database(url, LONG)
        assert caught.value.advice == (
            "Correct POSTGRES_USER or POSTGRES_PASSWORD. A database container takes them for a new "
            "volume only, and an old volume keeps its first password: set that one again, or "
            "change it in the database (ALTER ROLE … PASSWORD …), or remove the volume with its "
            "data."
        )

    def test_a_database_missing(self, cluster: Cluster) -> None:
        """A database that does not exist is told apart from a login that is refused."""
        clock = Clock()
        url = parse_database_url(cluster.url("nowhere"))
        with pytest.raises(DatabaseMissingError) as caught:
            wait_for_database(url, LONG, clock=clock, pause=clock.pause)
        assert (
            [],
            4,
            f"Database 'nowhere' does not exist at {url.masked}. Create it, or correct the name; "
            "in dev and test `inv migrate` and `inv start` create it.",
        ) == (clock.pauses, caught.value.exit_status, str(caught.value))


@contextmanager
def holding_back(code: str) -> Iterator[DatabaseUrl]:
    """Give the URL of a pooler that refuses each other login, and holds back those in between.

    Logins to other databases than `d` are refused at once.
    """
    message = f"SFATAL\0C{code}\0Mnein\0\0".encode()
    refusal = b"E" + struct.pack("!I", len(message) + 4) + message
    held: list[socket.socket] = []
    count = 0

    def meet(client: socket.socket) -> None:
        nonlocal count
        count += b"database\0d\0" in client.recv(1000)
        held.append(client)
        if count % 2:
            client.sendall(refusal)
            held.pop().close()

    try:
        with fake_server(meet) as url:
            yield url
    finally:
        for client in held:
            client.close()


@pytest.mark.slow
def test_a_login_that_is_held_back_is_asked_until_its_code_comes() -> None:
    """A pooler answers the first, then none for a while: a new one would get no code again."""
    with holding_back("28P01") as url, pytest.raises(LoginRefusedError) as caught:
        wait_for_database(url, LONG)
    assert caught.value.exit_status == 4


@pytest.mark.parametrize("timeout", [0, LONG])
def test_a_database_missing_behind_a_pooler_that_holds_logins_back(
    tmp_path: Path, debian_cluster: Cluster, timeout: float
) -> None:
    """PgBouncer does so for `server_login_retry` seconds; the same login works elsewhere."""
    with running_pgbouncer(tmp_path / "p", debian_cluster.port, server_login_retry=600) as port:
        url = parse_database_url(f"postgresql://{OWNER}:x@127.0.0.1:{port}/no_such_database")
        with pytest.raises(DatabaseMissingError):
            wait_for_database(url, timeout)


def test_a_message_in_another_encoding() -> None:
    """A server that speaks Latin-1 is understood as far as it goes, and waited for."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(1000)
                fields = "SFATAL\0C28P01\0MPasswort für »u« falsch\0\0".encode("latin-1")
                client.sendall(b"E" + struct.pack("!I", len(fields) + 4) + fields)

        thread = threading.Thread(target=refuse)
        thread.start()
        options = "sslmode=disable&gssencmode=disable"
        port = listener.getsockname()[1]
        with pytest.raises(DatabaseUnreachableError) as caught:
            wait_for_database(
                parse_database_url(f"postgresql://u:p@127.0.0.1:{port}/d?{options}"), 0
            )
        thread.join()
    said = str(caught.value)
    # Which of the two depends on the version of Python.
    understood = "FATAL:  Passwort f\N{REPLACEMENT CHARACTER}r"
    assert understood in said or "the server's message is not UTF-8" in said


@pytest.fixture
def missing(cluster: Cluster) -> Iterator[DatabaseUrl]:
    """Give the owner's URL of a database that does not exist; one made by then is dropped."""
    name = 'a "new" %/@ one'
    yield build_database_url(
        host="127.0.0.1", port=str(cluster.port), user=OWNER, password=PASSWORD, database=name
    )
    cluster.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))


class TestCreateDatabase:
    def test_creates_it(self, missing: DatabaseUrl, log: pytest.LogCaptureFixture) -> None:
        """The database is there afterwards, and the log says so."""
        create_database(missing)
        assert [f"Database {missing.database} created"] == log.messages
        wait_for_database(missing, 0)

    def test_one_that_exists_is_as_good(
        self, database_url: str, log: pytest.LogCaptureFixture
    ) -> None:
        """Somebody else may have been quicker."""
        create_database(parse_database_url(database_url))
        assert log.messages == []

    def test_eight_at_once(self, missing: DatabaseUrl, log: pytest.LogCaptureFixture) -> None:
        """Of eight that create it at the same moment one does, and none fails."""
        barrier = threading.Barrier(8)

        def create() -> None:
            barrier.wait(SOON)
            create_database(missing)

        with ThreadPoolExecutor(8) as pool:
            for outcome in [pool.submit(create) for _ in range(8)]:
                outcome.result(SOON)
        assert [f"Database {missing.database} created"] == log.messages
        wait_for_database(missing, 0)

    def test_a_role_that_may_not(self, cluster: Cluster) -> None:
        """Without the right CREATEDB one sentence says so."""
        cluster.execute(f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'")
        try:
            url = parse_database_url(cluster.url("nowhere", user="reader"))
            with pytest.raises(DatabaseMissingError) as caught:
                create_database(url)
        finally:
            cluster.execute("DROP ROLE reader")
        there = url.with_database("postgres").masked
        assert (
            "Database 'nowhere' does not exist and could not be created. The role may not do this "
            f"at {there}: permission denied to create database. Create it by hand, or give the "
            "role the right CREATEDB.",
            4,
        ) == (str(caught.value), caught.value.exit_status)


class TestWait:
    def test_creates_what_is_missing_where_it_may(self, missing: DatabaseUrl) -> None:
        """In development and under test a missing database is made."""
        wait(description(missing.raw))
        wait_for_database(missing, 0)

    def test_leaves_what_is_missing_where_it_may_not(self, missing: DatabaseUrl) -> None:
        """In production a missing database is a mistake."""
        with pytest.raises(DatabaseMissingError):
            wait(description(missing.raw, may_create_database=False))
        with pytest.raises(DatabaseMissingError):
            wait_for_database(missing, 0)

    def test_tries_the_applications_way_as_well(self, database_url: str) -> None:
        """Both the owner's direct connection and the application's have to work."""
        other = parse_database_url(database_url.replace(PASSWORD, "wrong"))
        with pytest.raises(LoginRefusedError):
            wait(description(database_url, database_url=other))

    def test_waits_once_for_one_way(self, database_url: str, log: pytest.LogCaptureFixture) -> None:
        """Where both are the same, one login shows it."""
        wait(description(database_url))
        assert sum(line.startswith("Waiting for") for line in log.messages) == 1


class TestConnected:
    def test_closes_at_the_end(self, database_url: str) -> None:
        """The connection is closed whatever happened in the block."""
        with pytest.raises(KeyError), connected(parse_database_url(database_url)) as connection:
            raise KeyError
        assert connection.closed != 0

    def test_a_server_that_goes_away(self, cluster: Cluster, database_url: str) -> None:
        """A connection that breaks in the block is one sentence with the cause."""
        url = parse_database_url(database_url)
        with pytest.raises(BootError) as caught, connected(url) as connection:
            cluster.execute(f"SELECT pg_terminate_backend({connection.info.backend_pid})")
            connection.cursor().execute("SELECT 1")
        assert (DatabaseUnreachableError, f"PostgreSQL at {url.masked} does not answer: ") == (
            type(caught.value),
            str(caught.value)[: len(url.masked) + 32],
        )

    def test_a_login_that_fails(self, cluster: Cluster) -> None:
        """A server that refuses a login does answer, and is not said to be away."""
        url = parse_database_url(cluster.url("postgres", password="not-this-one"))
        with pytest.raises(DatabaseUnreachableError) as caught, connected(url):
            pass
        assert caught.value.what.startswith(f"Logging in to PostgreSQL at {url.masked} failed: ")

    def test_a_right_that_is_lacking(self, database_url: str) -> None:
        """A role that may not do what the block does is told what to grant."""
        url = parse_database_url(database_url)
        with pytest.raises(LoginRefusedError) as caught, connected(url) as connection:
            connection.cursor().execute("CREATE ROLE another SUPERUSER")
        assert (
            f"The role may not do this at {url.masked}: permission denied to create role. Grant it "
            "the right, or set MIGRATION_DATABASE_URL to the schema's owner."
        ) == str(caught.value)

    def test_its_name_shows_in_the_servers_list(self, database_url: str) -> None:
        """An operator sees whose connection it is; a name that the URL gives is kept."""
        names = []
        name_sessions("1.2")
        for text in (database_url, f"{database_url}?application_name=mine"):
            with connected(parse_database_url(text)) as connection:
                names.append(connection.info.parameter_status("application_name"))
        name_sessions(None)
        assert names == ["boot 1.2", "mine"]
