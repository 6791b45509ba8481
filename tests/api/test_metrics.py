import re
from collections.abc import Iterator
from contextlib import ExitStack
from uuid import uuid4

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from alembic_boot.serving.handover import hand_over
from backend.api.exporting import AT_ONCE
from backend.api.request_log import is_shed
from backend.main import create_app
from tests.api.application_settings import SECRET, settings_for
from tests.api.people import PASSWORD, sign_up
from tests.api.server import serving
from tests.cluster import PASSWORD as DATABASE_PASSWORD, Cluster
from tests.history import HEAD

COUNT = "moriai_http_request_duration_seconds_count"

Labels = dict[str, str]


@pytest.fixture
def client(seeded_url: str) -> Iterator[httpx.Client]:
    """Give a client of an application that has counted nothing yet."""
    with serving(create_app(settings_for(seeded_url))) as client:
        yield client


def samples(client: httpx.Client, name: str) -> list[Sample]:
    families = text_string_to_metric_families(client.get("/metrics").text)
    return [it for family in families for it in family.samples if it.name == name]


def value(client: httpx.Client, name: str) -> float:
    [sample] = samples(client, name)
    return sample.value


def counted(client: httpx.Client) -> dict[tuple[str, str, str], int]:
    """Return how many requests there were, by method, route and status."""
    return {
        (it.labels["method"], it.labels["route"], it.labels["status"]): int(it.value)
        for it in samples(client, COUNT)
    }


def test_requests_are_counted_by_route(client: httpx.Client) -> None:
    """By the template: which book it was is nobody's concern, and there are too many of them."""
    books = client.get("/api/v1/books").json()["items"]
    for book in books:
        client.get(f"/api/v1/books/{book['id']}")
    client.get("/api/v1/books/nonsense")
    client.post("/api/v1/books", json={})
    client.post("/api/v1/books/")
    client.put("/api/v1/books")
    assert counted(client) == {
        ("GET", "/api/v1/books", "200"): 1,
        ("GET", "/api/v1/books/{book_id}", "200"): len(books),
        ("GET", "/api/v1/books/{book_id}", "422"): 1,
        ("POST", "/api/v1/books", "401"): 1,
        ("POST", "unmatched", "404"): 1,
        ("PUT", "/api/v1/books", "405"): 1,
    }
    assert counted(client)["GET", "/metrics", "200"] == 1


def test_whoever_asks_for_nonsense_makes_no_labels(client: httpx.Client) -> None:
    """Addresses and methods that do not exist are one series, however many are tried."""
    before = len(client.get("/metrics").text.splitlines())
    for number in range(20):
        client.get(f"/nothing/{number}")
        client.request(f"METHOD{number}", f"/nothing/{number}/else")
    found = counted(client)
    assert found["GET", "unmatched", "404"] == found["other", "unmatched", "404"] == 20
    # Two of these, and the scrape's own: each has its buckets, a count and a sum.
    assert len(client.get("/metrics").text.splitlines()) - before <= 3 * 15


def test_nothing_that_is_somebodys_is_told(client: httpx.Client) -> None:
    """No token is needed, so there is nothing in it that one would be needed for."""
    person = sign_up(client)
    book = person.make("books")
    person.ask("GET", f"/api/v1/books/{book['id']}?cursor=a-secret-query")
    client.get(f"/api/v1/books/{book['id']}/{PASSWORD}", headers={"X-Request-ID": "id-of-theirs"})
    answer = client.get("/metrics")
    assert answer.status_code == 200
    secrets = [person.id, person.email, person.token, book["id"], PASSWORD, SECRET]
    secrets += [DATABASE_PASSWORD, "a-secret-query", "id-of-theirs", "postgresql://"]
    assert [it for it in secrets if it in answer.text] == []
    assert re.findall(r"[0-9a-f]{8}-[0-9a-f]{4}-", answer.text) == []


def test_the_pool_is_told(client: httpx.Client) -> None:
    """One connection is enough for requests that come one by one, and nobody has it now."""
    client.get("/api/v1/books")
    found = {
        name: value(client, f"moriai_db_pool_{name}")
        for name in ("size", "checked_out", "idle", "overflow")
    }
    assert found == {"size": 5, "checked_out": 0, "idle": 1, "overflow": 0}
    assert value(client, "moriai_http_requests_in_flight") == 1  # the scrape itself


def test_the_schema_is_told(client: httpx.Client) -> None:
    """Where it is, and whether that is where it should be."""
    [schema] = samples(client, "moriai_schema_info")
    assert schema.labels == {"state": "current", "current": HEAD, "target": HEAD}
    assert value(client, "moriai_schema_ready") == 1


def test_a_scrape_asks_no_more_than_a_probe_has(
    seeded_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is asked where nobody has asked it for a while, and else not."""
    app = create_app(settings_for(seeded_url))
    with serving(app) as client:
        readiness = app.state.resources.readiness
        client.get("/health/ready")
        found = readiness.last()
        client.get("/metrics")
        assert readiness.last() is found
        monkeypatch.setattr("backend.api.scraping._FRESH", 0.0)
        client.get("/metrics")
        assert readiness.last() is not found


def test_a_scrape_without_a_database(cluster: Cluster, seeded_url: str) -> None:
    """Figures are wanted most when something is wrong."""
    with serving(create_app(settings_for(seeded_url))) as client:
        database = seeded_url.rpartition("/")[2]
        cluster.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
        [schema] = samples(client, "moriai_schema_info")
        assert schema.labels == {"state": "unknown", "current": "", "target": ""}
        assert value(client, "moriai_schema_ready") == 0


def test_a_cache_is_told(seeded_url: str) -> None:
    """What everybody reads is read once, and found in the cache from then on."""
    with serving(create_app(settings_for(seeded_url))) as client:
        for _ in range(3):
            client.get("/api/v1/books")
        text = client.get("/metrics").text
        assert 'moriai_cache_hits_total{cache="answers"} 2.0' in text
        assert 'moriai_cache_misses_total{cache="answers"} 1.0' in text
        assert 'moriai_cache_entries{cache="answers"} 1.0' in text


def test_who_is_sent_away_is_told(seeded_url: str) -> None:
    """When there is too much to do; here, when all places for exports are taken."""
    app = create_app(settings_for(seeded_url))
    with serving(app) as client:
        person = sign_up(client)
        exports = app.state.resources.exports
        with ExitStack() as places:
            for _ in range(AT_ONCE):
                places.enter_context(exports.place(uuid4()))
            assert person.ask("GET", "/api/v1/auth/me/export").status_code == 503
        assert person.ask("GET", "/api/v1/auth/me/export").status_code == 200
        assert value(client, "moriai_http_requests_shed_total") == 1


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (503, [(b"Retry-After", b"1")], True),
        (503, [(b"content-type", b"text/plain"), (b"retry-after", b"1")], True),
        (503, [], False),
        (429, [(b"retry-after", b"1")], False),
    ],
)
def test_which_answers_count_as_sent_away(
    status: int, headers: list[tuple[bytes, bytes]], *, expected: bool
) -> None:
    """Those that say when to come again; too many attempts of one person are no overload."""
    start = {"type": "http.response.start", "status": status, "headers": headers}
    assert is_shed(start) is expected


def test_connections_that_were_closed_are_told(client: httpx.Client) -> None:
    found = samples(client, "moriai_connections_closed_total")
    assert {it.labels["reason"] for it in found} == {"too slow", "no room"}


def test_two_applications_in_one_process(client: httpx.Client, seeded_url: str) -> None:
    """Each counts what is its own."""
    with serving(create_app(settings_for(seeded_url))) as other:
        other.get("/api/v1/books")
        assert ("GET", "/api/v1/books", "200") in counted(other)
        assert counted(client) == {}


def test_the_stages_of_the_boot_are_told(seeded_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As boot handed them over; without one there are none."""
    monkeypatch.setenv("BOOT_FACTS", "{}")
    settings = settings_for(seeded_url)
    hand_over(settings.description(), stages={"wait": 0.5, "migrate": 2.25})
    with serving(create_app(settings)) as client:
        found = {
            it.labels["stage"]: it.value for it in samples(client, "moriai_boot_stage_seconds")
        }
    assert found == {"wait": 0.5, "migrate": 2.25}


def test_several_workers_are_told_apart(seeded_url: str) -> None:
    """A scrape gets the figures of one of them: its series must not be taken for another's."""
    with serving(create_app(settings_for(seeded_url, WEB_CONCURRENCY="2"))) as client:
        client.get("/api/v1/books")
        families = text_string_to_metric_families(client.get("/metrics").text)
        workers = {it.labels.get("worker") for family in families for it in family.samples}
    assert len(workers) == 1
    assert workers != {None}


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", "text/plain"),
        ("application/openmetrics-text;version=1.0.0", "application/openmetrics-text"),
        ("application/openmetrics-text; version=abc", "text/plain"),
        ("application/openmetrics-text;version=1..0,text/plain;version=x", "text/plain"),
    ],
)
def test_the_scraper_chooses_the_format(client: httpx.Client, accept: str, media_type: str) -> None:
    """What cannot be made out gets plain text, which every scraper reads."""
    answer = client.get("/metrics", headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"].split(";")[0] == media_type
