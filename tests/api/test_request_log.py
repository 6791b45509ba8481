import logging
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI

from alembic_boot.output.log import add_request_id
from backend.main import create_app
from tests.api.application_settings import settings_for
from tests.api.people import PASSWORD, sign_up
from tests.api.server import serving
from tests.cluster import Cluster

LOGGER = "backend.api.request_log"


def talking(url: str) -> FastAPI:
    """Return an application with a route that says something in a thread, and a broken one."""
    app = create_app(settings_for(url))

    @app.get("/talk")
    def talk() -> None:
        logging.getLogger("talking").info("in the middle")

    @app.get("/defect")
    def defect() -> None:
        raise RuntimeError("nobody foresaw this")

    return app


@pytest.fixture(scope="module")
def client(cluster: Cluster, seeded_template: str) -> Iterator[httpx.Client]:
    with (
        cluster.database(seeded_template) as name,
        serving(talking(cluster.url(name))) as client,
    ):
        yield client


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Give what is logged, as boot's handler would have it."""
    for client_of_tests in ("httpx", "httpcore"):
        caplog.set_level(logging.WARNING, client_of_tests)
    caplog.set_level(logging.DEBUG)
    caplog.handler.addFilter(add_request_id)
    yield caplog
    caplog.handler.removeFilter(add_request_id)


def lines(said: pytest.LogCaptureFixture, least: int = logging.INFO) -> list[str]:
    """Return what was said of requests."""
    return [it.getMessage() for it in said.records if it.name == LOGGER and it.levelno >= least]


def without_time(line: str) -> str:
    head, _, rest = line.partition(" (")
    return head + rest.partition(")")[2]


def test_a_line_for_each_request(client: httpx.Client, said: pytest.LogCaptureFixture) -> None:
    """Without the query, and without Uvicorn's own line."""
    client.get("/api/v1/books?limit=1&token=a-secret-query")
    client.get("/nothing/to%0Afind")
    client.post("/api/v1/auth/login", json={"email": "a@example.org", "password": PASSWORD})
    assert [without_time(line) for line in lines(said)] == [
        "GET /api/v1/books 200",
        "GET /nothing/to%0Afind 404",
        "POST /api/v1/auth/login 401",
    ]
    assert [it for it in said.records if it.name == "uvicorn.access"] == []
    assert "a-secret-query" not in said.text
    assert PASSWORD not in said.text


def test_the_fields_of_a_line(client: httpx.Client, said: pytest.LogCaptureFixture) -> None:
    """What a line says in words is in fields of its own, for programs."""
    person = sign_up(client)
    said.clear()
    person.ask("GET", "/api/v1/auth/me")
    [record] = [it for it in said.records if it.name == LOGGER]
    assert (
        vars(record).items()
        >= {
            "method": "GET",
            "path": "/api/v1/auth/me",
            "status": 200,
            "user_id": person.id,
        }.items()
    )
    assert 0 < vars(record)["duration_ms"] < 10_000
    assert record.getMessage().endswith(f"ms) for {person.id}")
    assert person.token not in said.text


def test_probes_and_scrapes_are_for_debugging(
    client: httpx.Client, said: pytest.LogCaptureFixture
) -> None:
    for path in ("/health/live", "/health/ready", "/metrics"):
        client.get(path)
    assert lines(said) == []
    assert len(lines(said, logging.DEBUG)) == 3


SANE = ["abc", "0", "Root=1-67891233-abcdef012345678912345678", "a.b_c:d+e/f=", "x" * 128]
OTHERS = ["", "x" * 129, "two words", 'quo"te', "semi;colon", "<b>", "-begins", "ümlaut", "{}"]


@pytest.mark.parametrize("given", SANE)
def test_an_id_that_is_brought_is_taken(client: httpx.Client, given: str) -> None:
    answer = client.get("/nothing", headers={"X-Request-ID": given})
    assert answer.headers["x-request-id"] == given
    assert answer.json()["instance"] == f"urn:moriai:request:{given}"


@pytest.mark.parametrize("given", OTHERS)
def test_what_is_no_id_is_replaced(client: httpx.Client, given: str) -> None:
    """It goes into the log and into an answer: whoever sends it must not write there."""
    answer = client.get("/nothing", headers={b"X-Request-ID": given.encode()})
    found = answer.headers["x-request-id"]
    assert len(found) == 32
    assert found.isalnum()


def test_every_request_has_an_id_of_its_own(client: httpx.Client) -> None:
    """Also on a connection that is kept."""
    ids = {client.get("/health/live").headers["x-request-id"] for _ in range(5)}
    assert len(ids) == 5


@pytest.mark.parametrize(
    ("path", "status"), [("/talk", 200), ("/defect", 500), ("/api/v1/auth/me", 401)]
)
def test_all_lines_of_a_request_have_its_id(
    seeded_url: str, said: pytest.LogCaptureFixture, path: str, status: int
) -> None:
    """What an endpoint says in its thread, and what the server says about a defect, as well."""
    with serving(talking(seeded_url)) as client:
        said.clear()
        answer = client.get(path, headers={"X-Request-ID": "this-one"})
    assert answer.status_code == status
    assert answer.headers.get_list("x-request-id") == ["this-one"]
    if status >= 400:
        assert answer.json()["instance"] == "urn:moriai:request:this-one"
    names = [it.name for it in said.records if vars(it).get("request_id") == "this-one"]
    expected = {"/talk": ["talking", LOGGER], "/defect": [LOGGER, "uvicorn.error"]}
    assert names == expected.get(path, [LOGGER])
    assert len(lines(said)) == 1
