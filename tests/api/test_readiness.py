"""Readiness costs one question a second, tells strangers no names, and says what requests meet."""

import asyncio
import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI

from alembic_boot.serving.handover import hand_over
from alembic_boot.serving.model_watch import comparison_is_due
from backend.main import create_app
from tests.api.application_settings import settings_for
from tests.api.crowd import all_at_once
from tests.api.paths import BOOKS
from tests.api.people import sign_up
from tests.api.probes import readiness, reason
from tests.api.server import serving
from tests.cluster import OWNER, Cluster
from tests.history import HEAD
from tests.proxy import Proxy

READY = "/health/ready"
LOOK = "BEGIN ISOLATION LEVEL REPEATABLE READ"
"""How each look at the schema begins."""


@pytest.fixture
def app(seeded_url: str) -> FastAPI:
    return create_app(settings_for(seeded_url))


@pytest.fixture
def client(app: FastAPI) -> Iterator[httpx.Client]:
    with serving(app) as client:
        yield client


@pytest.fixture
def database(seeded_url: str) -> str:
    return seeded_url.rpartition("/")[2]


def end_sessions(cluster: Cluster, database: str, application: str = "%") -> None:
    """End the sessions of the service, and return when they are gone."""
    sessions = (
        f"FROM pg_stat_activity WHERE datname = '{database}' AND usename = '{OWNER}'"
        f" AND application_name LIKE '{application}'"
    )
    cluster.execute(f"SELECT pg_terminate_backend(pid, 10000) {sessions}")


def limit(cluster: Cluster, database: str, sessions: int) -> None:
    """Bound the sessions of a database, those that are there already included; -1 is no bound."""
    cluster.execute(f"ALTER DATABASE {database} CONNECTION LIMIT {sessions}")


def test_models_that_were_compared_before_a_migration(
    client: httpx.Client, seeded_url: str
) -> None:
    """What differed then is said no more, and the models are compared at once."""
    boot = settings_for(seeded_url).description()
    try:
        hand_over(boot, differences="books.subtitle is missing", compared_at=[HEAD])
        reason(client, "books.subtitle is missing")
        assert not comparison_is_due.is_set()
        hand_over(boot, differences="books.subtitle is missing", compared_at=["007"])
        reason(
            client,
            "The schema has moved since the models were compared with it. "
            "They are compared again now.",
        )
        assert comparison_is_due.is_set()
    finally:
        hand_over(boot, differences=None)
        comparison_is_due.clear()
    readiness(client, 200)


@pytest.mark.slow
def test_a_crowd_is_answered_by_one_question_a_second(cluster: Cluster, database: str) -> None:
    """Hundreds of probes log in to nothing, and the database sees one look a second."""
    looks: list[float] = []

    def count(_number: int, sql: str) -> None:
        if LOOK in sql:
            looks.append(time.monotonic())

    with Proxy(cluster.port) as proxy:
        url = cluster.url(database, port=proxy.port)
        with serving(create_app(settings_for(url))) as client:
            readiness(client, 200)
            proxy.after_query = count
            begun = time.monotonic()
            for _ in range(3):
                answers = all_at_once([client.build_request("GET", READY) for _ in range(100)])
                assert Counter(it.status_code for it in answers) == {200: 100}
            took = time.monotonic() - begun
            logins = cluster.query(
                "SELECT FROM pg_stat_activity WHERE application_name LIKE 'readiness%'"
                f" AND datname = '{database}'"
            )
    # The proxy may see the first one late.
    assert len(looks) <= took + 2
    assert len(logins) == 1


def test_who_comes_while_it_is_asked_waits_for_that_answer(
    app: FastAPI, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One caller that goes away takes it from nobody."""
    probe = app.state.resources.readiness
    look, go_on = probe._asked, threading.Event()
    asked = []

    def slow() -> object:
        asked.append(True)
        assert go_on.wait(30)
        return look()

    monkeypatch.setattr(probe, "_asked", slow)

    async def ask() -> list[int]:
        async with httpx.AsyncClient(base_url=client.base_url, timeout=30) as many:
            first, *others = [asyncio.create_task(many.get(READY)) for _ in range(20)]
            while not asked:
                await asyncio.sleep(0)
            first.cancel()
            # Live does not wait for it.
            assert (await many.get("/health/live")).status_code == 200
            go_on.set()
            return [it.status_code for it in await asyncio.gather(*others)]

    assert asyncio.run(ask()) == [200] * 19
    assert len(asked) == 1


def test_what_the_process_learns_itself_is_said_at_once(
    cluster: Cluster, database: str, client: httpx.Client
) -> None:
    """A younger answer that says ready is not given again."""
    person = sign_up(client)
    cluster.execute(f"REVOKE INSERT ON books FROM {OWNER}", database)
    readiness(client, 200)
    assert person.ask("POST", BOOKS, {"title": "Up"}).status_code == 503
    assert client.get(READY).status_code == 503


@pytest.mark.parametrize("why", ["refused", "missing", "closed", "full"])
def test_a_stranger_learns_no_names(
    cluster: Cluster,
    client: httpx.Client,
    database: str,
    why: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The answer says what is wrong and what helps; the log names what it is about."""
    moved = f"{database}_moved"
    closed, opened = (
        f"ALTER DATABASE {database} ALLOW_CONNECTIONS {it}" for it in ("false", "true")
    )
    broken, repaired, said = {
        "refused": (
            [f"ALTER ROLE {OWNER} NOLOGIN"],
            [f"ALTER ROLE {OWNER} LOGIN"],
            "refuses the login (28000)",
        ),
        "missing": (
            [closed, f"ALTER DATABASE {database} RENAME TO {moved}"],
            [f"ALTER DATABASE {moved} RENAME TO {database}", opened],
            "does not exist (3D000)",
        ),
        "closed": ([closed], [opened], "cannot be queried (55000)"),
        "full": (
            [f"ALTER DATABASE {database} CONNECTION LIMIT 0"],
            [f"ALTER DATABASE {database} CONNECTION LIMIT -1"],
            "takes no more connections (53300)",
        ),
    }[why]
    caplog.set_level(logging.INFO)
    try:
        for statement in broken:
            cluster.execute(statement)
            end_sessions(cluster, database)
        answer = readiness(client, 503)
    finally:
        for statement in repaired:
            cluster.execute(statement)
    assert said in answer.json()["reason"]
    for name in (OWNER, database, "127.0.0.1", str(cluster.port)):
        assert name not in answer.text
    [line] = [it.getMessage() for it in caplog.records if it.getMessage().startswith("Not ready")]
    assert database in line
    assert "127.0.0.1" in line
    readiness(client, 200)
    assert "Ready again" in caplog.messages


def test_it_is_ready_while_the_connections_of_requests_work(
    cluster: Cluster,
    app: FastAPI,
    client: httpx.Client,
    database: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The probe gets no login, requests have theirs: that is a warning, said once."""
    assert client.get(f"{BOOKS}?limit=1").status_code == 200
    [(sessions,)] = cluster.query(
        f"SELECT count(*)::int FROM pg_stat_activity WHERE datname = '{database}'"
    )
    limit(cluster, database, int(str(sessions)))
    found = []
    for number in range(2, 5):
        answer = reason(client, "(53300)")
        found.append((answer.status_code, answer.json()["status"]))
        assert client.get(f"{BOOKS}?limit={number}").status_code == 200
    assert found == [(200, "degraded")] * 3
    assert [app.state.resources.readiness.check().ready for _ in range(3)] == [True] * 3
    limit(cluster, database, -1)
    assert reason(client, "").json()["status"] == "ready"
    warnings = [it for it in caplog.messages if it.startswith("Ready, but some requests fail")]
    assert len(warnings) == 1


def test_a_request_that_gets_no_connection_makes_the_probe_log_in_as_well(
    cluster: Cluster, client: httpx.Client, database: str
) -> None:
    """The probe's own connection is in order: it alone would say that all is well."""
    readiness(client, 200)
    limit(cluster, database, 1)
    end_sessions(cluster, database, "moriai 0%")
    assert client.get(f"{BOOKS}?limit=1").status_code == 503
    answer = readiness(client, 503)
    assert "(53300)" in answer.json()["reason"]
    limit(cluster, database, -1)
    readiness(client, 200)


@pytest.mark.parametrize("code", ["53100", "53200"])
def test_what_the_database_is_short_of_is_named(
    cluster: Cluster,
    client: httpx.Client,
    database: str,
    code: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A write meets it, reads go on: readiness names it and does not flap."""
    person = sign_up(client)
    cluster.execute(
        "CREATE FUNCTION short() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$BEGIN RAISE 'out of it' USING ERRCODE = '{code}'; END$$;"
        " CREATE TRIGGER short BEFORE INSERT ON books FOR EACH ROW EXECUTE FUNCTION short()",
        database,
    )
    write = person.ask("POST", BOOKS, {"title": "Up"})
    assert write.status_code == 503
    assert "/health/ready" in write.json()["detail"]
    answer = reason(client, f"({code})")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    monkeypatch.setattr("alembic_boot.serving.readiness._SHORTAGE_COUNTS", 0.0)
    assert reason(client, "").json()["status"] == "ready"


@pytest.mark.slow
def test_a_server_that_falls_silent_on_the_kept_connection(cluster: Cluster, database: str) -> None:
    """Is noticed, and back again it is ready."""
    with Proxy(cluster.port) as proxy:
        url = cluster.url(database, port=proxy.port)
        with serving(create_app(settings_for(url))) as client:
            readiness(client, 200)
            proxy.blackhole()
            readiness(client, 503)
            proxy.heal()
            readiness(client, 200)
