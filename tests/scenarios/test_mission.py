"""The three scenarios that the service was built for, in whole processes on a real PostgreSQL."""

import signal
from pathlib import Path

import httpx
import pytest

from tests.cluster import Cluster
from tests.history import HEAD, OURS
from tests.scenarios.process import (
    MIGRATION_FAILED,
    project,
    relations,
    revisions,
    run,
    running_from_scratch,
    write_revision,
)

pytestmark = pytest.mark.slow

TABLES = (
    "Tables: users, books, pages, dialogues, voices, audios, dialogue_audios, "
    "dialogue_translations, attempts"
)
SERVING = [
    "Starting Uvicorn server...",
    "Database connection verified",
    "Backend started",
]
ADDRESS = "Serving on http://127.0.0.1:… (Ctrl-C stops it)"
EMPTY_START = [
    "Waiting for PostgreSQL... (postgresql://moriai_user:***@127.0.0.1:…/test_…)",
    "PostgreSQL is ready (18.…, … s)",
    "Running database migrations...",
    *(f"Applied {revision} … (… ms)" for revision in OURS),
    "Database migrations completed successfully",
    f"Schema revision: {HEAD} (head)",
    TABLES,
    "Seeding initial data...",
    "Initial data seeded (… rows)",
    *SERVING,
    f"Started in … s: applied {len(OURS)} revisions, seeded … rows",
    ADDRESS,
]
CURRENT_START = [
    *EMPTY_START[:3],
    "Database migrations completed successfully (already up to date)",
    f"Schema revision: {HEAD} (head)",
    "Seeding initial data...",
    "Initial data is complete already",
    *SERVING,
    "Started in … s: schema was current",
    ADDRESS,
]
BROKEN_START = [
    *EMPTY_START[:3],
    *(f"Applied {revision} … (… ms)" for revision in OURS),
    "Migration 901 It breaks failed: 901_test.py, line 13: RuntimeError: on purpose. …",
    "Database migrations failed, but continuing...",
    *SERVING,
    "Started in … s: migrations failed",
    ADDRESS,
]


def plant_broken_revision(folder: Path) -> None:
    """Add a 901 that raises after it has changed something."""
    write_revision(
        folder / "alembic" / "versions",
        "901",
        HEAD,
        """
        op.create_table("half", sa.Column("id", sa.Integer))
        raise RuntimeError("on purpose")
        """,
        title="It breaks",
    )


def test_empty_database(tmp_path: Path, database_url: str) -> None:
    """An empty database gets its tables, its data and its service, in this order of lines."""
    with running_from_scratch(
        project(tmp_path), "start", DATABASE_URL=database_url, BACKEND_PORT="0"
    ) as inv:
        ready = httpx.get(f"{inv.url}/health/ready")
        books = httpx.get(f"{inv.url}/api/v1/books")
        inv.signal(signal.SIGTERM)
        finished = inv.finish()
        inv.assert_nothing_left()
    assert (ready.status_code, ready.json()["current"]) == (200, [HEAD])
    titles = {book["title"] for book in books.json()["items"]}
    assert titles == {"My Playground Day", "My Mountain Adventure"}
    finished.assert_ok()
    finished.assert_says(*EMPTY_START)


def test_tables_exist(tmp_path: Path, database_url: str) -> None:
    """A second start says that the schema is up to date, touches nothing and serves."""
    folder = project(tmp_path)
    run(folder, "migrate", DATABASE_URL=database_url).assert_ok()
    run(folder, "seed", DATABASE_URL=database_url).assert_ok()
    with running_from_scratch(folder, "start", DATABASE_URL=database_url, BACKEND_PORT="0") as inv:
        ready = httpx.get(f"{inv.url}/health/ready")
        inv.interrupt()
        finished = inv.finish()
        inv.assert_nothing_left()
    assert ready.status_code == 200
    finished.assert_ok()
    finished.assert_says(*CURRENT_START)
    finished.assert_never_says("Applied …")
    finished.assert_never_says("Tables: …")


def test_broken_migration_in_development(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """In development a broken migration is said, nothing is seeded, and the application answers."""
    folder = project(tmp_path)
    plant_broken_revision(folder)
    with running_from_scratch(folder, "start", DATABASE_URL=database_url, BACKEND_PORT="0") as inv:
        ready = httpx.get(f"{inv.url}/health/ready")
        live = httpx.get(f"{inv.url}/health/live")
        books = httpx.get(f"{inv.url}/api/v1/books")
        inv.signal(signal.SIGTERM)
        finished = inv.finish()
        inv.assert_nothing_left()
    assert ready.status_code == 503
    assert ready.json()["current"] == [HEAD]
    assert ready.json()["reason"] == MIGRATION_FAILED
    assert live.status_code == 200
    assert (books.status_code, books.json()["items"]) == (200, [])
    finished.assert_ok()
    finished.assert_says(*BROKEN_START)
    finished.assert_never_says("Seeding …")
    finished.assert_never_says("Database migrations completed successfully…")
    assert revisions(cluster, database) == [HEAD]
    assert "half" not in relations(cluster, database)
    assert cluster.query("SELECT count(*) FROM users", database) == [(0,)]


def test_broken_migration_in_production(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """In production the same failure ends the process with a sentence that says what to do."""
    folder = project(tmp_path)
    plant_broken_revision(folder)
    finished = run(
        folder,
        "start",
        APP_ENV="prod",
        DATABASE_URL=database_url,
        BACKEND_PORT="0",
        JWT_SECRET="a-long-random-text",
    )
    finished.assert_failed(
        5,
        "Migration 901 It breaks failed: 901_test.py, line 13: RuntimeError: on purpose. "
        f"The database is at {HEAD} now; what the failure's transaction had changed was rolled "
        "back. Fix the revision and start again.",
    )
    finished.assert_says(*EMPTY_START[:11])
    finished.assert_never_says("Starting Uvicorn server...")
    finished.assert_never_says("Database migrations failed, but continuing...")
    assert revisions(cluster, database) == [HEAD]
    assert "half" not in relations(cluster, database)


def test_failure_policy_is_a_setting(tmp_path: Path, database_url: str) -> None:
    """MIGRATE_ON_FAILURE=exit ends a start in development too."""
    folder = project(tmp_path)
    plant_broken_revision(folder)
    finished = run(
        folder, "start", DATABASE_URL=database_url, BACKEND_PORT="0", MIGRATE_ON_FAILURE="exit"
    )
    finished.assert_failed(5, "Migration 901 It breaks failed: … Fix the revision and start again.")
