"""What fixes itself, or is the operator's to fix: 503, in a sentence that is true."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import httpx
import psycopg2
import pytest
from alembic import command
from psycopg2.extensions import connection as Connection

from backend.main import create_app
from tests.api.application_settings import settings_for
from tests.api.paths import BOOKS
from tests.api.people import sign_up
from tests.api.probes import readiness, reason
from tests.api.sentences import SCHEMA_NOT_READY
from tests.api.server import serving
from tests.cluster import Cluster
from tests.history import HEAD
from tests.migrations.project import config_for


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
        f"FROM pg_stat_activity WHERE application_name ~ '^moriai [0-9]' AND datname = '{database}'"
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
    """Reads go on, before a write and after it; no write is a defect.

    It is ready: no other replica could do more.
    """
    person = sign_up(client)
    book = person.make("books")["id"]
    path = f"{BOOKS}/{book}"
    with read_only(cluster, seeded_url):
        for _ in range(2):
            assert person.ask("GET", path).status_code == 200
            assert client.get("/health/ready").status_code == 200
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
    seeded_url: str, operator: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database does answer: it is busy."""
    # Before the first connection, whose statements it bounds.
    monkeypatch.setattr("backend.api.database._STATEMENT_TIMEOUT", 200)
    with serving(create_app(settings_for(seeded_url))) as client:
        operator.cursor().execute("LOCK books")
        answer = client.get(BOOKS)
        operator.rollback()
        back = client.get(BOOKS)
    assert (answer.status_code, answer.json()["detail"]) == (
        503,
        "The database is busy: try again.",
    )
    assert back.status_code == 200


RIGHTS = "SELECT, INSERT, UPDATE, DELETE ON books"


@pytest.mark.parametrize(
    ("broken", "repaired", "reason"),
    [
        (
            "ALTER TABLE books RENAME TO scrolls",
            "ALTER TABLE scrolls RENAME TO books",
            'relation "books" does not exist (42P01)',
        ),
        (
            "ALTER TABLE books RENAME cover_image TO cover",
            "ALTER TABLE books RENAME cover TO cover_image",
            "column books.cover_image does not exist (42703)",
        ),
        (
            "ALTER TYPE visibility RENAME VALUE 'public' TO 'open'",
            "ALTER TYPE visibility RENAME VALUE 'open' TO 'public'",
            'invalid input value for enum visibility: "public" (22P02)',
        ),
        (
            f"REVOKE {RIGHTS} FROM CURRENT_USER",
            f"GRANT {RIGHTS} TO CURRENT_USER",
            "permission denied for table books (42501)",
        ),
        (
            "ALTER SCHEMA public RENAME TO elsewhere; CREATE SCHEMA public; "
            "ALTER TABLE elsewhere.alembic_version SET SCHEMA public; "
            "ALTER TABLE elsewhere.schema_journal SET SCHEMA public",
            "ALTER TABLE alembic_version SET SCHEMA elsewhere; "
            "ALTER TABLE schema_journal SET SCHEMA elsewhere; "
            "DROP SCHEMA public; ALTER SCHEMA elsewhere RENAME TO public",
            "does not exist (42P01)",
        ),
    ],
    ids=["table", "column", "label", "rights", "schema"],
)
def test_a_schema_that_has_lost_something(
    client: httpx.Client, operator: Connection, broken: str, repaired: str, reason: str
) -> None:
    """Requests fail, so it is not ready: before the first of them, and until it is put back."""
    operator.autocommit = True
    operator.cursor().execute(broken)
    probe = client.get("/health/ready")
    book = client.get(BOOKS)
    again = client.get("/health/ready")
    operator.cursor().execute(repaired)
    back = readiness(client, 200)

    assert (book.status_code, book.json()["detail"]) == (503, SCHEMA_NOT_READY)
    for it in (probe, again):
        assert it.status_code == 503
        assert reason in it.json()["reason"]
        assert (it.json()["state"], it.json()["current"]) == ("current", [HEAD])
    assert back.status_code == 200
    assert client.get(BOOKS).status_code == 200


@pytest.mark.parametrize(
    ("broken", "repaired", "reason"),
    [
        (
            "REVOKE INSERT ON books FROM CURRENT_USER",
            "GRANT INSERT ON books TO CURRENT_USER",
            "permission denied for table books (42501)",
        ),
        (
            "ALTER TABLE users ALTER is_active DROP DEFAULT, ALTER is_active TYPE text",
            "ALTER TABLE users ALTER is_active TYPE boolean USING is_active::boolean, "
            "ALTER is_active SET DEFAULT true",
            "(42804)",
        ),
    ],
    ids=["rights", "type"],
)
def test_a_write_that_the_schema_does_not_fit(
    client: httpx.Client, operator: Connection, broken: str, repaired: str, reason: str
) -> None:
    """It shows when somebody writes; it is over without anybody who tries."""
    operator.autocommit = True
    person = sign_up(client)
    operator.cursor().execute(broken)
    write = person.ask("POST", BOOKS, {"title": "A title of somebody's own"})
    probe = client.get("/health/ready")
    operator.cursor().execute(repaired)
    back = readiness(client, 200)

    assert (write.status_code, write.json()["detail"]) == (503, SCHEMA_NOT_READY)
    assert probe.status_code == 503
    assert reason in probe.json()["reason"]
    assert "somebody's own" not in probe.text
    assert back.status_code == 200
    assert person.ask("POST", BOOKS, {"title": "Up"}).status_code == 201


TRIGGER = """
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} RETURN NEW; END $$;
CREATE TRIGGER note BEFORE INSERT ON books FOR EACH ROW EXECUTE FUNCTION note()
"""
NO_TRIGGER = "DROP FUNCTION note CASCADE"


@pytest.mark.parametrize(
    ("broken", "repaired", "reason"),
    [
        (
            "ALTER TABLE books ADD isbn text NOT NULL DEFAULT '';"
            " ALTER TABLE books ALTER isbn DROP DEFAULT",
            "ALTER TABLE books DROP isbn",
            'null value in column "isbn" of relation "books" violates not-null constraint (23502)',
        ),
        (
            TRIGGER.format("INSERT INTO gone VALUES (NEW.title);"),
            NO_TRIGGER,
            'relation "gone" does not exist (42P01)',
        ),
        (TRIGGER.format("NEW.gone := 1;"), NO_TRIGGER, 'record "new" has no field "gone" (42703)'),
        (
            TRIGGER.format("PERFORM gone(NEW.title);"),
            NO_TRIGGER,
            "function gone(text) does not exist (42883)",
        ),
        (
            TRIGGER.format("RAISE '%', NEW.title USING ERRCODE = '42501';"),
            NO_TRIGGER,
            "a function of the database refuses a statement (42501)",
        ),
        (
            "ALTER TABLE books ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
            " CREATE POLICY p ON books USING (true) WITH CHECK (false)",
            "ALTER TABLE books DISABLE ROW LEVEL SECURITY; DROP POLICY p ON books",
            'new row violates row-level security policy for table "books" (42501)',
        ),
    ],
    ids=["column", "trigger's table", "trigger's column", "function", "raised", "policy"],
)
def test_a_write_that_fails_only_when_it_runs(
    client: httpx.Client, operator: Connection, broken: str, repaired: str, reason: str
) -> None:
    """It is not the client's fault, and no replica is ready until such a write works again."""
    operator.autocommit = True
    person = sign_up(client)
    operator.cursor().execute(broken)
    write = person.ask("POST", BOOKS, {"title": "A title of somebody's own"})
    probes = [client.get("/health/ready") for _ in range(2)]
    operator.cursor().execute(repaired)
    again = person.ask("POST", BOOKS, {"title": "A title of somebody's own"})
    back = client.get("/health/ready")

    assert (write.status_code, write.json()["detail"]) == (503, SCHEMA_NOT_READY)
    for probe in probes:
        assert probe.status_code == 503
        assert reason in probe.json()["reason"]
        assert "somebody's own" not in probe.text
    assert (again.status_code, back.status_code) == (201, 200)


def test_a_write_that_a_trigger_refuses_to_one_client(
    client: httpx.Client, operator: Connection
) -> None:
    """Others write the same: the client gets 503 for its own, and keeps no replica out by it."""
    operator.autocommit = True
    person = sign_up(client)
    refusing = "IF NEW.title = 'Mine' THEN RAISE '%', NEW.title USING ERRCODE = '42501'; END IF;"
    operator.cursor().execute(TRIGGER.format(refusing))
    assert person.ask("POST", BOOKS, {"title": "Another"}).status_code == 201
    for _ in range(3):
        assert person.ask("POST", BOOKS, {"title": "Mine"}).status_code == 503
        assert client.get("/health/ready").status_code == 200
    probe = reason(client, "a function of the database refuses a statement (42501)")
    operator.cursor().execute(NO_TRIGGER)

    assert (probe.status_code, probe.json()["status"]) == (200, "degraded")
    assert "Mine" not in probe.text


def test_a_schema_that_is_pinned(seeded_url: str) -> None:
    """Somebody wants it so: it is ready until a request fails on it, and then it is not."""
    command.downgrade(config_for(seeded_url), "007")
    with serving(create_app(settings_for(seeded_url, MIGRATION_TARGET="007"))) as client:
        before = client.get("/health/ready")
        books = client.get(BOOKS)
        after = client.get("/health/ready")
    assert (before.status_code, books.status_code, after.status_code) == (200, 503, 503)
    assert "cover_video_url" in after.json()["reason"]
    assert "unset MIGRATION_TARGET" in after.json()["reason"]
