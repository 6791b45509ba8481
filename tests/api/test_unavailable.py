"""What mends itself, or is the operator's to mend: 503, in a sentence that is true."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import httpx
import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from backend.main import create_app
from tests.api.conftest import settings_for
from tests.api.people import sign_up
from tests.api.server import serving
from tests.api.test_books import BOOKS
from tests.api.test_health import SCHEMA_NOT_READY
from tests.cluster import Cluster


@pytest.fixture
def client(seeded_url: str) -> Iterator[httpx.Client]:
    with serving(create_app(settings_for(seeded_url))) as client:
        yield client


@pytest.fixture
def operator(seeded_url: str) -> Iterator[Connection]:
    """Give a connection of whoever looks after the database."""
    with closing(psycopg2.connect(seeded_url)) as connection:
        yield connection


@contextmanager
def read_only(cluster: Cluster, url: str) -> Iterator[None]:
    """Close a database for writing meanwhile, for sessions that begin then."""
    database = url.rpartition("/")[2]
    of_service = (
        f"FROM pg_stat_activity WHERE application_name = 'moriai' AND datname = '{database}'"
    )
    for mode in ("on", "off"):
        cluster.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = {mode}")
        cluster.execute(f"SELECT pg_terminate_backend(pid) {of_service}")
        while cluster.query(f"SELECT {of_service}"):
            pass
        if mode == "on":
            yield


def test_a_database_that_takes_no_writes(
    cluster: Cluster, seeded_url: str, client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Reads go on, before a write and after it; no write is a defect."""
    person = sign_up(client)
    book = person.make("books")["id"]
    path = f"{BOOKS}/{book}"
    with read_only(cluster, seeded_url):
        for _ in range(2):
            assert person.ask("GET", path).status_code == 200
            for answer in (
                person.ask("POST", BOOKS, {"title": "Up"}),
                person.ask("PATCH", path, {"title": "Up"}),
                person.ask("DELETE", path),
            ):
                problem = answer.json()
                assert (answer.status_code, problem["type"]) == (
                    503,
                    "urn:moriai:problem:unavailable",
                )
                assert problem["detail"] == "The database takes no writes now: try again later."
    assert person.ask("DELETE", path).status_code == 204
    assert not [it for it in caplog.records if it.exc_info]


def test_a_table_that_is_locked(
    client: httpx.Client, operator: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database does answer: it is busy."""
    monkeypatch.setattr("backend.api.database._STATEMENT_TIMEOUT", 200)
    operator.cursor().execute("LOCK books")
    answer = client.get(BOOKS)
    assert (answer.status_code, answer.json()["detail"]) == (
        503,
        "The database is busy: try again.",
    )
    operator.rollback()
    assert client.get(BOOKS).status_code == 200


def test_a_table_that_is_gone(client: httpx.Client, operator: Connection) -> None:
    """Though readiness, which looks at the revision alone, calls the schema current."""
    operator.cursor().execute("ALTER TABLE books RENAME TO scrolls")
    operator.commit()
    assert client.get("/health/ready").status_code == 200
    answer = client.get(BOOKS)
    assert (answer.status_code, answer.json()["detail"]) == (503, SCHEMA_NOT_READY)
