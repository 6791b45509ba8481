"""Two applications on one database, as two replicas: what one changes, the other shows."""

import threading
from typing import Any

import pytest

from tests.api.paths import API
from tests.api.people import sign_up
from tests.api.queries import counted_queries
from tests.api.replica import Replica, replica
from tests.cluster import Cluster
from tests.proxy import Proxy
from tests.waiting import LONG, SOON, wait_until

pytestmark = pytest.mark.slow  # each starts two applications


@pytest.fixture(autouse=True)
def _kept_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have time drop no answer that a test waits for."""
    monkeypatch.setattr("backend.main._KEPT_FOR", LONG)


def test_a_change_through_one_is_seen_through_the_other(
    replicas: tuple[Replica, Replica],
) -> None:
    """Before time drops what was kept: made, renamed, written in, hidden, deleted."""
    here, there = replicas
    owner = sign_up(here.client)

    def title() -> Any:
        found = there.get(f"books/{book['id']}")
        return found["title"] if isinstance(found, dict) else found

    def listed() -> set[str]:
        return {it["id"] for it in there.get("books")["items"]}

    before = listed()
    book = owner.make("books", visibility="public")
    path = f"{API}/books/{book['id']}"
    wait_until(lambda: listed() == {*before, book["id"]})
    assert title() == "Up and Away"
    owner.ask("PATCH", path, {"title": "Down"})
    wait_until(lambda: title() == "Down")
    owner.ask("POST", f"{path}/pages", {})
    wait_until(lambda: len(there.get(f"books/{book['id']}?language=ko")["pages"]) == 3)
    owner.ask("PATCH", path, {"visibility": "private"})
    wait_until(lambda: title() == 404 and listed() == before)
    owner.ask("PATCH", path, {"visibility": "public"})
    wait_until(lambda: title() == "Down" and book["id"] in listed())
    owner.ask("DELETE", path)
    wait_until(lambda: title() == 404 and listed() == before)


def test_who_writes_reads_it_at_once(replicas: tuple[Replica, Replica]) -> None:
    """Through the same replica the very next read shows it."""
    here, _ = replicas
    owner = sign_up(here.client)
    voice = owner.make("voices", visibility="public")["id"]
    for number in range(50):
        name = f"Mina {number}"
        owner.ask("PATCH", f"{API}/voices/{voice}", {"name": name})
        assert here.get(f"voices/{voice}")["name"] == name


def test_exactly_what_a_change_concerns_is_given_up(replicas: tuple[Replica, Replica]) -> None:
    """A book's answers in every language and the lists of books; no other book, no voice."""
    here, there = replicas
    owner = sign_up(here.client)
    book, other = (owner.make("books", visibility="public")["id"] for _ in range(2))
    hidden = owner.make("books")["id"]
    there.get("voices")
    voice = owner.make("voices", visibility="public")["id"]
    one, lists, rest = f"book {book}", "books", {f"book {other}", "voices", f"voice {voice}"}

    def keep_all() -> None:
        for path in (
            *("books", "books?shelf=public&limit=2", f"books/{book}", f"books/{book}?language=ko"),
            *(f"books/{other}", "voices", f"voices/{voice}"),
        ):
            there.get(path)
        assert there.subjects() == {one, lists, *rest}

    # Events come in their order: after that of the voice none is on its way.
    wait_until(lambda: there.subjects() == set())
    keep_all()
    # The book whole as well, for all languages.
    assert len(there.keys()) == 9
    owner.ask("PATCH", f"{API}/books/{book}", {"title": "Down"})
    wait_until(lambda: there.subjects() == rest)

    keep_all()
    owner.ask("PATCH", f"{API}/voices/{voice}", {"name": "Juno"})
    wait_until(lambda: there.subjects() == {one, lists, f"book {other}"})

    # What nobody else sees disturbs nobody: the event that comes after it tells that it has come.
    keep_all()
    kept = there.keys()
    owner.ask("PATCH", f"{API}/books/{hidden}", {"title": "Hidden"})
    owner.ask("PATCH", f"{API}/books/{other}", {"title": "Other"})
    wait_until(lambda: f"book {other}" not in there.subjects())
    assert {it for it in kept if it.subject in (one, "voices")} <= there.keys()


def test_what_is_private_is_never_kept(replicas: tuple[Replica, Replica]) -> None:
    """Neither one's own things nor lists with them; nor what is not there."""
    here, _ = replicas
    owner = sign_up(here.client)
    for what in ("books", "voices"):
        private = owner.make(what)["id"]
        for path in (f"{what}/{private}", what, f"{what}?shelf=mine"):
            assert owner.ask("GET", f"{API}/{path}").status_code == 200
            here.get(path)
    assert here.subjects() == {"books", "voices"}
    assert {it["visibility"] for it in here.get("books")["items"]} == {"default"}


def test_what_is_kept_takes_no_query(replicas: tuple[Replica, Replica]) -> None:
    """Each statement is counted; whoever shows a token is looked up all the same."""
    here, _ = replicas
    owner = sign_up(here.client)
    book = owner.make("books", visibility="public")["id"]
    voice = owner.make("voices", visibility="public")["id"]
    paths = ("books", f"books/{book}", f"books/{book}?language=ko", "voices", f"voices/{voice}")
    first = [here.get(path) for path in paths]
    with counted_queries() as queries:
        assert [here.get(path) for path in paths] == first
    assert queries == []
    with counted_queries() as queries:
        owner.ask("GET", f"{API}/books/{book}")
    assert len(queries) == 1


def test_a_book_that_was_read_before_a_change_is_not_kept_after_it(
    cluster: Cluster, seeded_url: str
) -> None:
    """The answer of PostgreSQL is held back until the change was told."""
    held, release = threading.Event(), threading.Event()

    def hold(_number: int, sql: str) -> None:
        if "FROM dialogue_audios" in sql and not held.is_set():
            held.set()
            assert release.wait(SOON)

    database = seeded_url.rpartition("/")[2]
    with (
        Proxy(cluster.port) as proxy,
        replica(seeded_url) as here,
        replica(cluster.url(database, port=proxy.port), EVENTS_DATABASE_URL=seeded_url) as there,
    ):
        owner = sign_up(here.client)
        there.get("books")
        book = owner.make("books", visibility="public")["id"]
        wait_until(lambda: there.subjects() == set())
        there.get("books")
        proxy.after_query = hold
        read: list[str] = []
        reader = threading.Thread(target=lambda: read.append(there.get(f"books/{book}")["title"]))
        reader.start()
        assert held.wait(SOON)
        owner.ask("PATCH", f"{API}/books/{book}", {"title": "Down"})
        wait_until(lambda: "books" not in there.subjects())
        release.set()
        reader.join()
        # What was held back is not kept, and so the answer is made of what is read anew.
        assert read == ["Down"]
        assert there.get(f"books/{book}")["title"] == "Down"
        assert there.subjects() == {f"book {book}"}


def _end_listener(cluster: Cluster, url: str) -> int:
    database = url.rpartition("/")[2]
    [(ended,)] = cluster.query(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        f" WHERE datname = '{database}' AND application_name LIKE 'moriai events%'"
    )
    return int(str(ended))


def test_a_listener_that_was_ended_comes_back(
    cluster: Cluster, replicas: tuple[Replica, Replica], seeded_url: str
) -> None:
    """What was kept is gone then, for nobody knows what was missed."""
    here, there = replicas
    here.get("books")
    there.get("books")
    assert _end_listener(cluster, seeded_url) == 2
    wait_until(lambda: here.subjects() == there.subjects() == set())
    for it in replicas:
        wait_until(lambda it=it: it.ready()["status"] == "ready")  # type: ignore[misc]
    owner = sign_up(here.client)
    there.get("books")
    owner.make("books", visibility="public")
    wait_until(lambda: there.subjects() == set())


def test_without_a_listener_it_serves_and_says_so(cluster: Cluster, seeded_url: str) -> None:
    """What others changed meanwhile is seen late, and at once when it listens again."""
    database = seeded_url.rpartition("/")[2]
    with (
        Proxy(cluster.port) as proxy,
        replica(seeded_url) as here,
        replica(seeded_url, EVENTS_DATABASE_URL=cluster.url(database, port=proxy.port)) as there,
    ):
        owner = sign_up(here.client)
        voice = owner.make("voices", visibility="public")["id"]
        path = f"voices/{voice}"
        wait_until(lambda: there.get(path) != 404 and there.ready()["status"] == "ready")
        proxy.drop()
        wait_until(lambda: there.ready()["status"] == "degraded")
        assert there.ready()["reason"].startswith("No events are heard: ")

        owner.ask("PATCH", f"{API}/{path}", {"name": "Juno"})
        assert there.get(path)["name"] == "Mina"
        through_there = there.as_seen_by(owner)
        through_there.ask("PATCH", f"{API}/{path}", {"category": "warm"})
        assert there.get(path)["name"] == "Juno"
        owner.ask("PATCH", f"{API}/{path}", {"name": "Hana"})
        assert there.get(path)["name"] == "Juno"

        proxy.heal()
        wait_until(lambda: there.get(path)["name"] == "Hana")
        wait_until(lambda: there.ready()["status"] == "ready")
        assert "reason" not in there.ready()


def test_what_time_ends_is_read_again(
    cluster: Cluster, seeded_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nobody listens, an answer is as old as that at most."""
    monkeypatch.setattr("backend.main._KEPT_FOR", 3.0)
    with (
        replica(seeded_url) as here,
        Proxy(cluster.port) as proxy,
        replica(
            seeded_url,
            EVENTS_DATABASE_URL=cluster.url(seeded_url.rpartition("/")[2], port=proxy.port),
        ) as there,
    ):
        proxy.drop()
        owner = sign_up(here.client)
        voice = owner.make("voices", visibility="public")["id"]
        assert there.get(f"voices/{voice}")["name"] == "Mina"
        owner.ask("PATCH", f"{API}/voices/{voice}", {"name": "Juno"})
        assert there.get(f"voices/{voice}")["name"] == "Mina"
        wait_until(lambda: there.get(f"voices/{voice}")["name"] == "Juno")


def test_what_is_rolled_back_is_told_to_nobody(
    replicas: tuple[Replica, Replica], cluster: Cluster, seeded_url: str
) -> None:
    """A change that PostgreSQL refuses at its commit leaves what is kept alone."""
    here, there = replicas
    database = seeded_url.rpartition("/")[2]
    cluster.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE unique_violation; END $$;"
        "CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON voices"
        " INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()",
        database,
    )
    owner = sign_up(here.client)
    voice = owner.make("voices", visibility="public")["id"]
    wait_until(lambda: there.get(f"voices/{voice}") != 404)
    there.get("voices")
    kept = there.keys()
    refused = owner.ask("PATCH", f"{API}/voices/{voice}", {"name": "Juno"})
    assert refused.status_code == 409
    # What comes after it has come: so would have been its event.
    there.get("books")
    owner.make("books", visibility="public")
    wait_until(lambda: "books" not in there.subjects())
    assert there.keys() == kept
