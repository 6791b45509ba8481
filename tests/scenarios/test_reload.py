"""Ready means that requests work: models without a revision, and what a reload brings along."""

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from alembic_boot.errors import SchemaAheadError
from tests.cluster import Cluster
from tests.history import HEAD, OURS
from tests.scenarios.process import (
    DEADLINE,
    MIGRATION_FAILED,
    Finished,
    Running,
    project,
    revisions,
    running,
    write_revision,
)

pytestmark = pytest.mark.slow

ADD = 'op.add_column("books", sa.Column("tagline", sa.Text, nullable=True))'
DROP = 'op.drop_column("books", "tagline")'

MISSING = "column books.tagline is in the models and not in the schema"
REVISION = '`inv revision --message "what changed"`'


@contextmanager
def serving(folder: Path, task: str, url: str, **variables: str) -> Iterator[Running]:
    given = {"DATABASE_URL": url, "BACKEND_PORT": "0", "SEED": "false"}
    with running(folder, task, **{**given, **variables}) as inv:
        yield inv


def stop(inv: Running) -> Finished:
    inv.signal(signal.SIGTERM)
    return inv.finish()


def ready_with(inv: Running, status: int, words: str = "") -> str:
    """Return the reason as soon as readiness has this status and these words in it."""
    deadline = time.monotonic() + DEADLINE
    while True:
        answer = httpx.get(f"{inv.url}/health/ready", timeout=DEADLINE)
        reason = answer.json().get("reason") or ""
        if answer.status_code == status and words in reason:
            return str(reason)
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.05)


def add_tagline(folder: Path) -> None:
    """Edit a model, and write no revision."""
    model = folder / "backend" / "models" / "book.py"
    title = "    title: Mapped[str]\n"
    tagline = "    tagline: Mapped[str | None]\n"
    model.write_text(model.read_text().replace(title, title + tagline))


def test_a_model_that_no_revision_follows(tmp_path: Path, database_url: str) -> None:
    """The log and readiness say which it is, and what writes the revision; so does each worker."""
    folder = project(tmp_path, with_models=True)
    env = folder / "alembic" / "env.py"
    env.write_text('print("env.py prints")\n' + env.read_text())
    add_tagline(folder)
    variables = {"WEB_CONCURRENCY": "2", "APP_ENV": "test"}
    with serving(folder, "start", database_url, **variables) as inv:
        sentence = f"The models and the schema differ: {MISSING}. Write the revision: {REVISION}"
        inv.wait_for(sentence, count=2)
        reasons = {ready_with(inv, 503, "The models and") for _ in range(8)}
        finished = stop(inv)
    assert (finished.status, set(finished.stderr)) == (0, {"env.py prints"}), finished
    assert reasons == {
        f"The models and the schema differ: {MISSING}. Write the revision that is missing: "
        f"{REVISION}. The next start applies it."
    }


def test_a_reload_migrates(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """A model and its revision are saved, wherever that is; one that fails; the same, repaired.

    The new process answers while it migrates.
    """
    folder = project(tmp_path, with_models=True)
    (folder / "alembic").rename(tmp_path / "alembic")
    ini = folder / "alembic.ini"
    ini.write_text(ini.read_text().replace("%(here)s/alembic", str(tmp_path / "alembic")))
    versions = tmp_path / "alembic" / "versions"
    with serving(folder, "start", database_url, RELOAD="true") as inv:
        ready_with(inv, 200)
        add_tagline(folder)
        ready_with(inv, 503, MISSING)

        write_revision(versions, "901", HEAD, f'{ADD}\nop.execute("SELECT pg_sleep(1.5)")', DROP)
        ready_with(inv, 503, "Migration 901 A test's own is running (1 of 1).")
        inv.wait_for("Applied 901 A test's own …")
        ready_with(inv, 200)
        assert httpx.get(f"{inv.url}/api/v1/books").status_code == 200

        contract = 'phase = "contract"'
        broken = write_revision(
            versions, "902", "901", 'op.execute("SELECT nothing")', constants=contract
        )
        inv.wait_for("Database migrations failed, but continuing...")
        ready_with(inv, 503, MIGRATION_FAILED)
        assert httpx.get(f"{inv.url}/api/v1/books").status_code == 200

        broken.write_text(broken.read_text().replace("SELECT nothing", "SELECT 1"))
        ready_with(inv, 200)
        assert revisions(cluster, database) == ["902"]

        broken.unlink()
        ready_with(inv, 503, SchemaAheadError.words)
        stop(inv).assert_ok()
    applied = "SELECT revision FROM schema_journal WHERE status = 'applied' ORDER BY id"
    assert cluster.query(applied, database) == [(it,) for it in (*OURS, "901", "902")]


def test_a_reload_answers_who_has_just_connected(tmp_path: Path, database_url: str) -> None:
    """The process that ends or the one that starts answers a request on each connection."""
    folder = project(tmp_path, with_models=True)
    with serving(folder, "serve", database_url, RELOAD="true") as inv:
        parts = urlsplit(inv.url)
        with ExitStack() as stack:
            clients = [
                stack.enter_context(closing(HTTPConnection(str(parts.hostname), parts.port)))
                for _ in range(20)
            ]
            for client in clients[:10]:
                client.connect()
            write_revision(folder / "alembic" / "versions", "009", "008")
            inv.wait_for("Shutting down")
            for client in clients:
                client.request("GET", "/health/live")
            assert [it.getresponse().status for it in clients] == 20 * [200]
        stop(inv).assert_ok()


def test_serving_alone_never_migrates(tmp_path: Path, database_url: str) -> None:
    """Whatever is saved."""
    folder = project(tmp_path)
    with serving(folder, "serve", database_url, RELOAD="true") as inv:
        inv.wait_for("Serving on …")
        write_revision(folder / "alembic" / "versions", "901", HEAD)
        inv.wait_for("Serving on …", count=2)
        finished = stop(inv)
    finished.assert_never_says("Running database migrations...")


def test_code_that_cannot_be_imported(tmp_path: Path, database_url: str) -> None:
    """One sentence says why, without a traceback; the next change is another try."""
    folder = project(tmp_path, with_models=True)
    main = folder / "backend" / "main.py"
    good = main.read_text()
    with serving(folder, "start", database_url, RELOAD="true") as inv:
        ready_with(inv, 200)
        main.write_text(good + "\nraise KeyError('not yet')\n")
        inv.wait_for(
            "The application backend.main:app cannot be loaded: backend/main.py, line …: KeyError: "
            "there is no 'not yet'. Fix it, or name another in ASGI_APP."
        )
        main.write_text(good)
        inv.wait_for("Backend started", count=2)
        ready_with(inv, 200)
        finished = stop(inv)
    assert (finished.status, len(finished.stderr)) == (0, 1), finished
    assert not [line for line in finished.stdout if "Traceback" in line]
