"""The three scenarios that the service was built for, in the image and with the Compose file."""

import httpx
import pytest

from tests.history import HEAD, OURS
from tests.scenarios.containers.stack import ServiceStack
from tests.scenarios.process import MIGRATION_FAILED, contains_in_order

pytestmark = [pytest.mark.slow, pytest.mark.container]

TABLES = (
    "Tables: users, books, pages, dialogues, voices, audios, dialogue_audios, "
    "dialogue_translations, attempts"
)
LOGIN = [
    "Waiting for PostgreSQL... (postgresql://moriai_user:***@postgres:5432/moriai_db)",
    "PostgreSQL is ready (…, … s)",
    "Running database migrations...",
]
APPLIED = [f"Applied {revision} … (… ms)" for revision in OURS]
SERVING = [
    "Starting Uvicorn server...",
    "Database connection verified",
    "Backend started",
    "Serving on http://0.0.0.0:8000 (…)",
]
EMPTY_START = [
    *LOGIN,
    *APPLIED,
    "Database migrations completed successfully",
    f"Schema revision: {HEAD} (head)",
    TABLES,
    "Seeding initial data...",
    "Initial data seeded (… rows)",
    *SERVING,
]
CURRENT_START = [
    *LOGIN,
    "Database migrations completed successfully (already up to date)",
    f"Schema revision: {HEAD} (head)",
    *SERVING,
]
BREAKS = """
op.create_table("half", sa.Column("id", sa.Integer))
raise RuntimeError("on purpose")
"""
BROKEN = (
    "Migration 901 A test's own failed: 901_test.py, line 13: RuntimeError: on purpose. "
    f"The database is at {HEAD} now; what the failure's transaction had changed was rolled back. "
    "Fix the revision and start again."
)


def test_empty_volume(served: ServiceStack) -> None:
    """On an empty volume the tables are made, the books are there, and the service is ready."""
    log = served.log()
    assert contains_in_order(log, EMPTY_START), log
    ready = httpx.get(f"{served.url()}/health/ready")
    books = httpx.get(f"{served.url()}/api/v1/books").json()["items"]
    assert (ready.status_code, ready.json()["current"]) == (200, [HEAD])
    assert {book["title"] for book in books} == {"My Playground Day", "My Mountain Adventure"}


def test_restart(served: ServiceStack) -> None:
    """A restart finds its schema as it should be, and serves the same books."""
    said_before = len(served.log())
    books = httpx.get(f"{served.url()}/api/v1/books").json()
    served.inv("restart", "--service", "backend").assert_ok()
    log = served.log()[said_before:]
    assert contains_in_order(log, CURRENT_START), log
    assert not [line for line in log if line.startswith(("Applied", "Tables:"))]
    assert httpx.get(f"{served.url()}/api/v1/books").json() == books


def test_broken_migration(stack: ServiceStack) -> None:
    """In development the application answers all the same; in production `up` says why it ends."""
    stack.revision("901", HEAD, BREAKS)
    finished = stack.inv("up")
    finished.assert_failed(
        12, f"backend-1 is unhealthy: …{MIGRATION_FAILED}…. Its last lines are above, …"
    )
    log = stack.log()
    assert contains_in_order(
        log, [*LOGIN, *APPLIED, BROKEN, "Database migrations failed, but continuing...", *SERVING]
    ), log
    ready = httpx.get(f"{stack.url()}/health/ready")
    assert (ready.status_code, ready.json()["reason"]) == (
        503,
        MIGRATION_FAILED,
    )
    assert httpx.get(f"{stack.url()}/health/live").status_code == 200

    finished = stack.inv("up", APP_ENV="prod", JWT_SECRET="a-long-random-text")
    finished.assert_failed(12, "backend-1 …exited with status 5. Its last lines are above, …")
    finished.assert_says(f"backend-1 | {BROKEN}")
    log = stack.log()
    assert "Starting Uvicorn server..." not in log
    assert "Database migrations failed, but continuing..." not in log
    assert stack.query("SELECT version_num FROM alembic_version") == [HEAD]
    assert stack.query("SELECT to_regclass('half') IS NULL") == ["t"]
