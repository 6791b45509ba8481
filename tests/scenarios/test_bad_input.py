"""What people and machines get wrong: each status, and what only a whole process shows.

The other settings and histories are in tests/test_refusals.py and
tests/boot/migration/test_broken_histories.py.
"""

import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest
from psycopg2 import sql

from alembic_boot.errors import HistoryBrokenError
from tests.cluster import Cluster, free_port
from tests.history import BEFORE_HEAD, HEAD
from tests.scenarios.process import (
    Finished,
    assert_untouched,
    contains_in_order,
    project,
    relations,
    revisions,
    run,
    running,
    write_revision,
)
from tests.scenarios.wrong_settings import LOGIN_ADVICE, Case

pytestmark = pytest.mark.slow


CASES = [
    Case(
        "wrong password",
        4,
        "PostgreSQL refused the login at postgresql://moriai_user:***@127.0.0.1:{port}/{database}: "
        'password authentication failed for user "moriai_user". ' + LOGIN_ADVICE,
        {"DATABASE_URL": "postgresql://moriai_user:not-this-one@127.0.0.1:{port}/{database}"},
    ),
    Case(
        "unreachable host",
        3,
        "PostgreSQL at postgresql://moriai_user:***@127.0.0.1:1/x was not reachable within 1 s: "
        "Connection refused. Start it, or fix …; DB_WAIT_TIMEOUT sets how long to "
        "wait.",
        {
            "DATABASE_URL": "postgresql://moriai_user:some-secret@127.0.0.1:1/x",
            "DB_WAIT_TIMEOUT": "1",
        },
        "wait-db",
    ),
    Case(
        "unknown APP_ENV",
        2,
        "APP_ENV='staging' is none of dev, test, prod. Set it to one of those, or unset it.",
        {"APP_ENV": "staging", "DATABASE_URL": "{url}"},
    ),
    Case(
        "start in prod without JWT_SECRET",
        2,
        "JWT_SECRET is not set. "
        "Serving in production needs it: set a long random text, or JWT_SECRET_FILE.",
        {"APP_ENV": "prod", "DATABASE_URL": "{url}"},
        "start",
    ),
    Case(
        "an address of somebody else",
        11,
        "Port 8000 on 192.0.2.1 cannot be used: Cannot assign requested address. "
        "Choose another: BACKEND_HOST and BACKEND_PORT.",
        {"DATABASE_URL": "{url}", "BACKEND_HOST": "192.0.2.1", "BACKEND_PORT": "8000"},
        "start",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_refusal(
    case: Case, tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """A wrong setting ends with its status and one sentence, before the database is touched."""
    known = {"url": database_url, "port": str(cluster.port), "database": database}
    variables = {name: text.format(**known) for name, text in case.variables.items()}
    # Somebody may be serving on the port that is the default.
    finished = run(project(tmp_path), case.task, **{"BACKEND_PORT": "0", **variables})
    finished.assert_failed(case.status, case.sentence.format(**known))
    assert_untouched(cluster, database)


@pytest.fixture
def awkward_role(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """Give a role whose password has what URLs, ini files and shells take for their own."""
    role, password = f"role_{uuid4().hex[:8]}", "100%s/of@it: $HOME #%(here)s 'x\""
    cluster.execute(
        sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(
            sql.Identifier(role), sql.Literal(password)
        )
    )
    try:
        yield role, password
    finally:
        cluster.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


@pytest.mark.parametrize("form", ["file", "url"])
def test_awkward_password(
    tmp_path: Path, cluster: Cluster, awkward_role: tuple[str, str], form: str
) -> None:
    """A password with `%` works raw in POSTGRES_PASSWORD_FILE, and encoded in a URL."""
    role, password = awkward_role
    name = f"test_{uuid4().hex[:12]}"
    parts = {
        "POSTGRES_HOST": "127.0.0.1",
        "POSTGRES_PORT": str(cluster.port),
        "POSTGRES_USER": role,
        "POSTGRES_DB": name,
    }
    file = tmp_path / "password"
    file.write_text(f"{password}\n")
    variables = {
        "file": {**parts, "POSTGRES_PASSWORD_FILE": str(file)},
        "url": {"DATABASE_URL": cluster.url(name, role, quote(password, safe=""))},
    }[form]
    folder = project(tmp_path)
    try:
        with running(folder, "start", BACKEND_PORT="0", **variables) as inv:
            ready = httpx.get(f"{inv.url}/health/ready")
            inv.signal(signal.SIGTERM)
            finished = inv.finish()
        assert (finished.status, ready.status_code) == (0, 200)
        for secret in (password, quote(password, safe="")):
            assert secret not in "\n".join([*finished.stdout, *finished.stderr])
        finished.assert_says(
            f"Waiting for PostgreSQL... (postgresql://{role}:***@127.0.0.1:{cluster.port}/{name})"
        )
        assert revisions(cluster, name) == [HEAD]
    finally:
        cluster.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )


def break_syntax(versions: Path) -> None:
    (versions / "901_test.py").write_text('revision = "901"\ndef upgrade(:\n')


def test_broken_history_in_development(tmp_path: Path, database_url: str) -> None:
    """In development a broken history is said and the application still answers, not ready."""
    folder = project(tmp_path)
    break_syntax(folder / "alembic" / "versions")
    with running(folder, "start", DATABASE_URL=database_url, BACKEND_PORT="0") as inv:
        ready = httpx.get(f"{inv.url}/health/ready")
        live = httpx.get(f"{inv.url}/health/live")
        inv.signal(signal.SIGTERM)
        finished = inv.finish()
    assert (ready.status_code, live.status_code) == (503, 200)
    assert ready.json()["reason"] == HistoryBrokenError.words
    finished.assert_ok()
    finished.assert_says(
        "The migration history is broken: 901_test.py, line 2…",
        "Database migrations failed, but continuing...",
        "Starting Uvicorn server...",
    )
    finished.assert_never_says("Seeding …")


@contextmanager
def listening(port: int) -> Iterator[None]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        listener.listen()
        yield


def test_port_in_use(tmp_path: Path, cluster: Cluster, database: str, database_url: str) -> None:
    """A taken port ends the start with a way out, before the database has been touched."""
    port = free_port()
    with listening(port):
        finished = run(
            project(tmp_path), "start", DATABASE_URL=database_url, BACKEND_PORT=str(port)
        )
    finished.assert_failed(
        11,
        f"Port {port} on 127.0.0.1 is taken. Stop what listens there, or choose another: "
        f"`BACKEND_PORT={port + 1} inv start`.",
    )
    assert finished.stdout == ()
    assert_untouched(cluster, database)


def test_port_flag(tmp_path: Path, cluster: Cluster, database: str, database_url: str) -> None:
    """`--port` wins over BACKEND_PORT, also where it is the taken one."""
    port = free_port()
    with listening(port):
        finished = run(
            project(tmp_path),
            "start",
            "--port",
            str(port),
            DATABASE_URL=database_url,
            BACKEND_PORT="0",
        )
    finished.assert_failed(11, f"Port {port} on 127.0.0.1 is taken. …")
    assert_untouched(cluster, database)


def test_data_folder_is_a_file(tmp_path: Path) -> None:
    """A file in the place of `.data` ends the start with what to do about it."""
    folder = project(tmp_path)
    (folder / ".data").write_text("in the way")
    finished = run(folder, "start", BACKEND_PORT="0")
    finished.assert_failed(
        11,
        "The embedded PostgreSQL under .data cannot be used: …File exists…. "
        "Make the folder writable, look at postgres/log in it, or set DATABASE_URL.",
    )


def test_data_folder_is_not_postgres(tmp_path: Path) -> None:
    """A folder that PostgreSQL did not make is left as it is."""
    folder = project(tmp_path)
    data = folder / ".data" / "postgres"
    data.mkdir(parents=True)
    (data / "letter.txt").write_text("somebody's own")
    finished = run(folder, "migrate")
    finished.assert_failed(11, "The embedded PostgreSQL under .data cannot be used: …")
    assert (data / "letter.txt").read_text() == "somebody's own"


def test_data_folder_is_read_only(tmp_path: Path) -> None:
    """A folder where nothing can be made ends the start with what to do about it."""
    folder = project(tmp_path)
    if os.geteuid() == 0:  # root's way is barred by the kernel's own folders only
        (folder / ".data").symlink_to("/proc")
    else:
        (folder / ".data").mkdir(mode=0o500)
    finished = run(folder, "migrate")
    finished.assert_failed(
        11,
        "The embedded PostgreSQL under .data cannot be used: …. "
        "Make the folder writable, look at postgres/log in it, or set DATABASE_URL.",
    )


def test_env_file(tmp_path: Path, cluster: Cluster, database: str, database_url: str) -> None:
    """A `.env` file is read in development; keys that it shares with other tools are left alone."""
    folder = project(tmp_path)
    (folder / ".env").write_text(
        f"COMPOSE_PROJECT_NAME=moriai\nexport FOO='b a r'\nNODE_ENV=\n# a comment\n"
        f"DATABASE_URL={database_url}\nMIGRATION_TARGET=007\n"
    )
    run(folder, "migrate").assert_ok()
    assert revisions(cluster, database) == ["007"]
    run(folder, "migrate", MIGRATION_TARGET=HEAD).assert_ok()
    assert revisions(cluster, database) == [HEAD]


def test_unmanaged_database(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """A database with tables and no revision is refused and left as it is."""
    cluster.execute("CREATE TABLE users (id int)", database)
    finished = run(project(tmp_path), "migrate", DATABASE_URL=database_url)
    finished.assert_failed(8, "The schema is that of no revision; 001 Users is nearest, …")
    assert relations(cluster, database) == ["users"]


def test_unmanaged_database_in_development(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """In development `start` serves an unmanaged database all the same, and says it isn't ready."""
    cluster.execute("CREATE TABLE users (id int)", database)
    with running(project(tmp_path), "start", DATABASE_URL=database_url, BACKEND_PORT="0") as inv:
        ready = httpx.get(f"{inv.url}/health/ready")
        inv.signal(signal.SIGTERM)
        finished = inv.finish()
    assert (ready.status_code, ready.json()["state"]) == (503, "unmanaged")
    finished.assert_ok()
    finished.assert_says("Database migrations failed, but continuing...", "Backend started")
    assert relations(cluster, database) == ["users"]


def migrated(folder: Path, url: str) -> None:
    run(folder, "migrate", DATABASE_URL=url).assert_ok()


def test_rollback_by_environment(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """MIGRATION_ROLLBACK goes to the parent of head, and never one step further at a restart."""
    folder = project(tmp_path)
    migrated(folder, database_url)
    finished = run(folder, "migrate", DATABASE_URL=database_url, MIGRATION_ROLLBACK="true")
    finished.assert_ok()
    finished.assert_says(f"Reverted {HEAD} … (… ms)", f"Schema revision: {BEFORE_HEAD}")
    assert revisions(cluster, database) == [BEFORE_HEAD]
    with running(
        folder, "start", DATABASE_URL=database_url, MIGRATION_ROLLBACK="true", BACKEND_PORT="0"
    ) as inv:
        ready = httpx.get(f"{inv.url}/health/ready")
        inv.signal(signal.SIGTERM)
        finished = inv.finish()
    assert (ready.status_code, ready.json()["current"]) == (200, [BEFORE_HEAD])
    finished.assert_ok()
    finished.assert_says(
        "MIGRATION_ROLLBACK is set: every replica needs the same value, or they migrate against "
        "each other",
        "Database migrations completed successfully (already up to date)",
        f"Schema revision: {BEFORE_HEAD}",
        f"Seeding skipped: the schema is pinned to {BEFORE_HEAD}",
        "Backend started",
    )
    assert revisions(cluster, database) == [BEFORE_HEAD]


def plant_application(folder: Path, code: str) -> None:
    (folder / "planted.py").write_text(dedent(code))


FAILS_WITH_A_MESSAGE = """
async def app(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "The kettle is cold."})
"""


@pytest.mark.parametrize(
    ("code", "sentence", "workers"),
    [
        (
            "raise RuntimeError('no kettle')",
            "The application planted:app cannot be loaded: planted.py, line 1: RuntimeError: no "
            "kettle. Fix it, or name another in ASGI_APP.",
            "2",
        ),
        (
            FAILS_WITH_A_MESSAGE,
            "The application planted:app did not start. The lines above say why.",
            "1",
        ),
        (
            FAILS_WITH_A_MESSAGE,
            "The application planted:app did not start. The lines above say why.",
            "2",
        ),
    ],
    ids=["raises at import", "start-up fails", "start-up of workers fails"],
)
def test_application_that_cannot_start(
    tmp_path: Path, database_url: str, code: str, sentence: str, workers: str
) -> None:
    """An application that cannot be loaded or started ends the start, whatever the workers.

    Other reasons not to load it are in tests/boot/serving/test_loading.py.
    """
    folder = project(tmp_path)
    plant_application(folder, code)
    with running(
        folder,
        "serve",
        DATABASE_URL=database_url,
        BACKEND_PORT="0",
        ASGI_APP="planted:app",
        WEB_CONCURRENCY=workers,
        PYTHONPATH=str(folder),
    ) as inv:
        finished = inv.finish()
        inv.assert_nothing_left()
    finished.assert_failed(11, sentence)
    if code == FAILS_WITH_A_MESSAGE:
        # Once, whatever the workers: the first to fail ends the others, maybe before they say it.
        finished.assert_says("The kettle is cold.")


def test_application_that_is_nowhere(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """A start finds it out before the schema moves."""
    finished = run(
        project(tmp_path),
        "start",
        DATABASE_URL=database_url,
        BACKEND_PORT="0",
        ASGI_APP="backend.nope:app",
    )
    finished.assert_failed(
        11,
        "The application backend.nope:app cannot be loaded: there is no module backend.nope. "
        "Fix it, or name another in ASGI_APP.",
    )
    assert_untouched(cluster, database)


LIFESPAN = """
from contextlib import asynccontextmanager

from fastapi import FastAPI

@asynccontextmanager
async def lifespan(app):
    {before}
    yield
    {after}

app = FastAPI(lifespan=lifespan)
"""


@pytest.mark.parametrize(
    ("workers", "raised", "cause"),
    [
        ("1", "raise RuntimeError('no kettle')", "planted.py, line 8: RuntimeError: no kettle"),
        ("2", "raise RuntimeError('no kettle')", "planted.py, line 8: RuntimeError: no kettle"),
        ("1", "raise SystemExit(0)", "planted.py, line 8: SystemExit: 0"),
    ],
)
def test_lifespan_that_raises(
    tmp_path: Path, database_url: str, workers: str, raised: str, cause: str
) -> None:
    """One sentence says where and what; workers say it in the log, each for itself."""
    folder = project(tmp_path)
    plant_application(folder, LIFESPAN.format(before=raised, after="pass"))
    with running(
        folder,
        "start",
        DATABASE_URL=database_url,
        BACKEND_PORT="0",
        ASGI_APP="planted:app",
        WEB_CONCURRENCY=workers,
        PYTHONPATH=str(folder),
    ) as inv:
        finished = inv.finish()
        inv.assert_nothing_left()
    what = "The application planted:app did not start"
    if workers == "1":
        finished.assert_failed(11, f"{what}: {cause}. Fix the application and start again.")
    else:
        finished.assert_failed(11, f"{what}. The lines above say why.")
        finished.assert_says(cause)


def test_lifespan_that_raises_at_its_end(tmp_path: Path, database_url: str) -> None:
    """It is a line of the log; the requests were served all the same."""
    folder = project(tmp_path)
    raised = "raise RuntimeError('no kettle')"
    plant_application(folder, LIFESPAN.format(before="pass", after=raised))
    with running(
        folder,
        "serve",
        DATABASE_URL=database_url,
        BACKEND_PORT="0",
        ASGI_APP="planted:app",
        PYTHONPATH=str(folder),
    ) as inv:
        inv.wait_for("Serving on …")
        inv.signal(signal.SIGTERM)
        finished = inv.finish()
    finished.assert_ok()
    finished.assert_says("planted.py, line 10: RuntimeError: no kettle")


def test_database_that_goes_away_before_serving(tmp_path: Path) -> None:
    """The application's own check of its connection ends the start-up without a traceback."""
    finished = run(
        project(tmp_path),
        "serve",
        DATABASE_URL="postgresql://moriai_user:some-secret@127.0.0.1:1/x",
        BACKEND_PORT="0",
    )
    finished.assert_failed(
        11,
        "The application backend.main:app did not start: The database at …127.0.0.1:1/x cannot be "
        "used: Connection refused. Check that it runs…",
    )
    finished.assert_never_says("Database connection verified")


def test_seed_callable_that_raises(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """A seed callable that raises ends the start before it serves, and leaves nothing behind."""
    folder = project(tmp_path)
    plant_application(
        folder,
        """
        from sqlalchemy import Connection, text

        def seed(connection: Connection) -> None:
            connection.execute(text("INSERT INTO users (email) VALUES ('a@b.c')"))
            raise RuntimeError('no stories')
        """,
    )
    finished = run(
        folder,
        "start",
        DATABASE_URL=database_url,
        BACKEND_PORT="0",
        SEED_CALLABLE="planted:seed",
        PYTHONPATH=str(folder),
    )
    finished.assert_failed(
        10,
        "Seeding failed: planted.py, line 6: RuntimeError: no stories. "
        "Nothing of it was kept. Fix planted:seed, or start with SEED=false.",
    )
    finished.assert_says("Seeding initial data...")
    finished.assert_never_says("Starting Uvicorn server...")
    assert cluster.query("SELECT count(*) FROM users", database) == [(0,)]


def objects(finished: Finished) -> list[dict[str, object]]:
    """Return every line of both streams as the JSON object that it must be."""
    found = [json.loads(line) for line in (*finished.stdout, *finished.stderr)]
    assert all(isinstance(line, dict) for line in found)
    assert all({"timestamp", "level", "logger", "message"} <= set(line) for line in found)
    return found


@pytest.mark.parametrize("workers", ["1", "2"])
def test_json_log(tmp_path: Path, database_url: str, workers: str) -> None:
    """With LOG_FORMAT=json a whole start is one JSON object a line, Uvicorn's lines included."""
    with running(
        project(tmp_path),
        "start",
        DATABASE_URL=database_url,
        BACKEND_PORT="0",
        LOG_FORMAT="json",
        WEB_CONCURRENCY=workers,
    ) as inv:
        inv.wait_for("…Backend started…", count=int(workers))
        assert httpx.get(f"{inv.url}/health/live").status_code == 200
        assert httpx.get(f"{inv.url}/api/v1/books").status_code == 200
        inv.wait_for("…GET /api/v1/books…")
        inv.signal(signal.SIGTERM)
        finished = inv.finish()
    assert finished.status == 0
    found = objects(finished)
    messages = [str(line["message"]) for line in found]
    assert contains_in_order(
        messages,
        [
            "Running database migrations...",
            f"Applied {HEAD} …",
            "Database migrations completed successfully",
            "Seeding initial data...",
            "Starting Uvicorn server...",
            "Database connection verified",
            "Backend started",
            "…GET /api/v1/books…",
        ],
    )
    events = [line for line in found if "event" in line]
    assert contains_in_order(
        [str(line["event"]) for line in events],
        ["waiting", "database_ready", "migrating", "applied", "migrated", "schema", "seeded"],
    )
    assert [line["event"] for line in events][-2:] == ["started", "serving"]
    [head] = [line for line in events if (line["event"], line.get("revision")) == ("applied", HEAD)]
    assert isinstance(head["duration_ms"], int)
    [schema] = [line for line in events if line["event"] == "schema"]
    assert (schema["revision"], schema["state"]) == (HEAD, "current")
    assert [line for line in messages if "/health/" in line] == []
    assert {"uvicorn.error", "backend.api.request_log"} <= {line["logger"] for line in found}
    [request] = [line for line in found if line["logger"] == "backend.api.request_log"]
    assert request.keys() >= {"request_id", "method", "path", "status", "duration_ms"}


def test_json_log_of_debugging(tmp_path: Path, database_url: str) -> None:
    """LOG_LEVEL=debug adds Alembic's own lines, as JSON like the others."""
    finished = run(
        project(tmp_path),
        "migrate",
        DATABASE_URL=database_url,
        LOG_FORMAT="json",
        LOG_LEVEL="debug",
    )
    assert finished.status == 0
    loggers = {str(line["logger"]) for line in objects(finished)}
    assert {"alembic.runtime.migration", "alembic_boot.migration.migrate"} <= loggers


def test_json_log_of_a_failure(tmp_path: Path, database_url: str) -> None:
    """A failing migration ends in a JSON object on stderr, what libraries print included."""
    folder = project(tmp_path)
    write_revision(
        folder / "alembic" / "versions",
        "901",
        HEAD,
        """
        import warnings
        warnings.warn("A warning of a revision")
        raise RuntimeError("on purpose")
        """,
    )
    finished = run(folder, "migrate", DATABASE_URL=database_url, LOG_FORMAT="json")
    assert finished.status == 5
    [failure] = [json.loads(line) for line in finished.stderr]
    assert (failure["level"], failure["logger"]) == ("ERROR", "alembic_boot")
    assert failure["message"].startswith("Migration 901 A test's own failed: ")
    assert any("A warning of a revision" in str(line["message"]) for line in objects(finished))


@pytest.mark.parametrize(
    ("variables", "status"),
    [
        ({"APP_ENV": "staging"}, 2),
        ({"DATABASE_URL": "{url}", "ASGI_APP": "no_such_module:app", "WEB_CONCURRENCY": "2"}, 11),
    ],
)
def test_json_log_of_refusals(
    tmp_path: Path, database_url: str, variables: dict[str, str], status: int
) -> None:
    """Every way to fail is a JSON object, also that of settings which could not be read."""
    given = {name: text.format(url=database_url) for name, text in variables.items()}
    finished = run(project(tmp_path), "start", LOG_FORMAT="json", BACKEND_PORT="0", **given)
    assert finished.status == status
    objects(finished)
    assert len(finished.stderr) == 1
