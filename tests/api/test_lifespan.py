import asyncio
import logging
import os
import re
import signal
import subprocess
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message

from backend.api.startup import BriefStartupFailure
from backend.main import create_app
from tests.api.application_settings import ALEMBIC_INI, SECRET, settings_for
from tests.api.server import StartupFailedError, serving
from tests.cluster import Cluster, free_port

PROJECT = ALEMBIC_INI.parent


def uvicorn_environment(**variables: str) -> dict[str, str]:
    """Return an environment with nothing of the application's in it but these."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PROJECT),
        "APP_ENV": "test",
        "JWT_SECRET": SECRET,
        **variables,
    }


def start_uvicorn(**variables: str) -> subprocess.CompletedProcess[str]:
    """Return what a bare Uvicorn says when it is started with these variables and fails."""
    return subprocess.run(
        [sys.executable, "-m", "uvicorn", "--port", "0", "backend.main:app"],
        env=uvicorn_environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=30,
    )


def test_the_log_tells_start_and_stop(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """In the words that people look for."""
    caplog.set_level(logging.INFO, "backend.main")

    def lines() -> list[str]:
        return [line.getMessage() for line in caplog.records if line.name == "backend.main"]

    with serving(create_app(settings_for(database_url))):
        assert lines() == [
            "Database connection verified",
            "Cache started",
            "Event bus started",
            "Backend started",
        ]
    assert lines()[4:] == ["Backend stopped"]


def test_the_lifespan_leaves_the_schema_alone(
    cluster: Cluster, database: str, database_url: str
) -> None:
    """It verifies a connection and makes no table."""
    with serving(create_app(settings_for(database_url))):
        pass
    tables = "SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    assert cluster.query(tables, database) == []


def test_no_connection_outlives_the_application(
    cluster: Cluster, database: str, database_url: str
) -> None:
    """What was opened is closed."""
    sessions = f"SELECT FROM pg_stat_activity WHERE datname = '{database}'"
    with serving(create_app(settings_for(database_url))) as client:
        client.get("/api/v1/books")
        assert len(cluster.query(sessions)) == 2
    for _ in range(100):  # a session lingers for a moment after its connection
        if not cluster.query(sessions):
            break
    assert cluster.query(sessions) == []


def test_a_database_that_is_away_fails_the_start() -> None:
    """Nothing is swallowed: the server exits instead of serving without a database."""
    url = f"postgresql://moriai_user:secret-word@127.0.0.1:{free_port()}/moriai_db"
    with pytest.raises(StartupFailedError), serving(create_app(settings_for(url))):
        pass


def test_production_needs_its_secrets(database_url: str) -> None:
    """Also where a bare Uvicorn serves."""
    app = create_app(settings_for(database_url, APP_ENV="prod", JWT_SECRET=""))
    with pytest.raises(StartupFailedError), serving(app):
        pass


@pytest.mark.slow
def test_importing_needs_nothing() -> None:
    """Tools import the application where there is no database, nor any setting in order."""
    subprocess.run(
        [sys.executable, "-c", "import backend.main; backend.main.app.openapi()"],
        env=uvicorn_environment(DATABASE_URL="nonsense", APP_ENV="nonsense"),
        check=True,
        timeout=30,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (
            "postgresql://moriai_user:secret-word@127.0.0.1:1/moriai_db",
            r"The database at postgresql://moriai_user:\*\*\*@127.0.0.1:1/moriai_db cannot be "
            r"used: Connection refused\. Check that it runs",
        ),
        ("", r"No database is configured\. Set DATABASE_URL"),
        ("http://secret-word@example.org", r"DATABASE_URL is not a PostgreSQL URL\."),
        (
            "postgresql+nonsense://moriai_user:secret-word@127.0.0.1:1/moriai_db",
            r"DATABASE_URL names a driver that cannot be used here\.",
        ),
    ],
)
def test_a_failed_start_is_one_sentence(url: str, sentence: str) -> None:
    """It says what happened and what to do, without a traceback and without the password."""
    result = start_uvicorn(DATABASE_URL=url)
    assert result.returncode == 3
    [error, end] = [line for line in result.stdout.splitlines() if line.startswith("ERROR")]
    assert re.search(sentence, error)
    assert end.endswith("Application startup failed. Exiting.")
    assert "Traceback" not in result.stdout
    assert "secret-word" not in result.stdout


@pytest.mark.slow
def test_a_bare_uvicorn_serves_and_stops(seeded_url: str, tmp_path: Path) -> None:
    """`uvicorn backend.main:app` is all it takes; SIGTERM ends it in order."""
    log = tmp_path / "log"
    with (
        log.open("w") as output,
        subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "--port", "0", "backend.main:app"],
            env=uvicorn_environment(DATABASE_URL=seeded_url, ALEMBIC_CONFIG=str(ALEMBIC_INI)),
            stdout=output,
            stderr=output,
        ) as process,
    ):
        try:
            while not (running := re.search(r"running on (http://\S+)", log.read_text())):
                assert process.poll() is None, log.read_text()
            with httpx.Client(base_url=running[1]) as client:
                assert client.get("/health/ready").status_code == 200
                assert len(client.get("/api/v1/books").json()["items"]) == 2
        finally:
            process.send_signal(signal.SIGTERM)
    assert process.returncode == -signal.SIGTERM
    assert "Application shutdown complete." in log.read_text()
    assert "ERROR" not in log.read_text()


def test_a_defect_keeps_its_traceback() -> None:
    """Only what was foreseen is cut down to a sentence; passwords go from both."""

    def lifespan(_app: FastAPI) -> AbstractAsyncContextManager[None]:
        raise RuntimeError("postgresql://somebody:secret-word@localhost/db")

    app = FastAPI(lifespan=lifespan)
    app.add_middleware(BriefStartupFailure)
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        sent.append(message)

    with pytest.raises(RuntimeError):
        asyncio.run(app({"type": "lifespan", "state": {}}, receive, send))

    [message] = sent
    assert message["type"] == "lifespan.startup.failed"
    assert "Traceback" in message["message"]
    assert "postgresql://somebody:***@localhost/db" in message["message"]
