"""Histories and databases that cannot be migrated: each is refused by its status and a sentence."""

import shutil
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from psycopg2 import sql

from tests.boot.in_process import migrating, run_in
from tests.cluster import Cluster
from tests.history import HEAD
from tests.scenarios.process import (
    assert_untouched,
    project,
    relations,
    revisions,
    write_revision,
)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("app_env", ["dev", "test"])
def test_unknown_database_is_created(tmp_path: Path, cluster: Cluster, app_env: str) -> None:
    """In dev and test a missing database is created and migrated."""
    name = f"test_{uuid4().hex[:12]}"
    try:
        finished = run_in(
            project(tmp_path), migrating, APP_ENV=app_env, DATABASE_URL=cluster.url(name)
        )
        finished.assert_ok()
        finished.assert_says(
            "Waiting for PostgreSQL... …",
            f"Database {name} created",
            "PostgreSQL is ready (…)",
            "Database migrations completed successfully",
        )
        assert sum("Waiting for PostgreSQL" in line for line in finished.messages) == 1
        assert revisions(cluster, name) == [HEAD]
    finally:
        cluster.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))


def test_raising_revision_in_the_middle(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """A revision that raises takes its own changes back and keeps those before it."""
    folder = project(tmp_path)
    versions = folder / "alembic" / "versions"
    create = 'op.create_table("{}", sa.Column("id", sa.Integer))'
    write_revision(versions, "901", HEAD, create.format("kept"))
    broken = create.format("gone") + '\nop.execute("INSERT INTO nowhere VALUES (1)")'
    write_revision(versions, "902", "901", broken, title="It breaks")
    write_revision(versions, "903", "902", create.format("never"))
    finished = run_in(folder, migrating, APP_ENV="prod", DATABASE_URL=database_url)
    finished.assert_failed(
        5,
        "Migration 902 It breaks failed: 902_test.py, line 13: ProgrammingError: "
        '(psycopg2.errors.UndefinedTable) relation "nowhere" does not exist. '
        "The database is at 901 now; what the failure's transaction had changed was rolled "
        "back. Fix the revision and start again.",
    )
    assert revisions(cluster, database) == ["901"]
    assert {"kept", "gone", "never"} & set(relations(cluster, database)) == {"kept"}

    write_revision(versions, "902", "901", create.format("fixed"), title="It is fixed")
    run_in(folder, migrating, APP_ENV="prod", DATABASE_URL=database_url).assert_ok()
    assert revisions(cluster, database) == ["903"]


def test_revision_that_exits(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """A revision that calls sys.exit(0) has failed: it did not come to its end."""
    folder = project(tmp_path)
    write_revision(folder / "alembic" / "versions", "901", HEAD, "raise SystemExit(0)")
    finished = run_in(folder, migrating, DATABASE_URL=database_url)
    finished.assert_failed(5, "Migration 901 A test's own failed: …SystemExit…")
    assert revisions(cluster, database) == [HEAD]


def break_syntax(versions: Path) -> None:
    (versions / "901_test.py").write_text('revision = "901"\ndef upgrade(:\n')


def empty(versions: Path) -> None:
    shutil.rmtree(versions)
    versions.mkdir()


def remove(versions: Path) -> None:
    shutil.rmtree(versions)


def fork(versions: Path) -> None:
    write_revision(versions, "901a", HEAD)
    write_revision(versions, "901b", HEAD)


def duplicate(versions: Path) -> None:
    shutil.copy(versions / "008_video_urls.py", versions / "008_again.py")


def orphan(versions: Path) -> None:
    write_revision(versions, "902", "901")


def close_circle(versions: Path) -> None:
    first = versions / "001_users.py"
    first.write_text(
        first.read_text().replace("down_revision: str | None = None", f'down_revision = "{HEAD}"')
    )


def close_circle_beside(versions: Path) -> None:
    write_revision(versions, "a", "b")
    write_revision(versions, "b", "a")


def follow_an_empty_id(versions: Path) -> None:
    write_revision(versions, "901", "")


def depend_on_nothing(versions: Path) -> None:
    write_revision(versions, "901", HEAD, constants='depends_on = "nowhere"')


def import_nothing(versions: Path) -> None:
    write_revision(versions, "901", HEAD, constants="import no_such_module")


def leave_out_id(versions: Path) -> None:
    (versions / "901_test.py").write_text("def upgrade() -> None: ...\n")


HISTORIES: dict[Callable[[Path], None], str] = {
    break_syntax: "The migration history is broken: 901_test.py, line 2: …. "
    "Fix it and start again; the database was not touched.",
    empty: "There are no revisions in …/alembic/versions. "
    "Check that the folder was shipped, or write the first with `…alembic revision -m first`.",
    remove: "There are no revisions in …/alembic/versions. "
    "Check that the folder was shipped, or write the first with `…alembic revision -m first`.",
    fork: "The history has 2 heads: 901a, 901b. "
    "Join them with `inv merge --message 'Join 901a and 901b'`, or set MIGRATION_TARGET=heads.",
    duplicate: "The migration history is broken: the same id is there twice: 008 is in "
    "…/008_again.py and in …/008_video_urls.py. Keep the file that databases have applied. …",
    orphan: "The migration history is broken: Revision 901 …is not present. "
    "Fix it and start again; the database was not touched.",
    follow_an_empty_id: "The migration history is broken: 901_test.py refers to an empty revision "
    "id; the first revision has `down_revision = None`. "
    "Fix it and start again; the database was not touched.",
    close_circle: "The migration history is broken: …ycle…. "
    "Fix it and start again; the database was not touched.",
    close_circle_beside: "The migration history is broken: …ycle…. "
    "Fix it and start again; the database was not touched.",
    depend_on_nothing: "The migration history is broken: …nowhere…. "
    "Fix it and start again; the database was not touched.",
    leave_out_id: "The migration history is broken: …901_test.py…. "
    "Fix it and start again; the database was not touched.",
}


@pytest.mark.parametrize("spoil", HISTORIES, ids=lambda spoil: spoil.__name__)
def test_broken_history(
    tmp_path: Path,
    cluster: Cluster,
    database: str,
    database_url: str,
    spoil: Callable[[Path], None],
) -> None:
    """A history that cannot be applied is refused before the database is touched."""
    folder = project(tmp_path)
    spoil(folder / "alembic" / "versions")
    finished = run_in(folder, migrating, DATABASE_URL=database_url)
    finished.assert_failed(9, HISTORIES[spoil])
    assert_untouched(cluster, database)


def test_package_that_is_missing(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """Nothing is wrong with a history that needs a package: the environment lacks the package."""
    folder = project(tmp_path)
    import_nothing(folder / "alembic" / "versions")
    finished = run_in(folder, migrating, DATABASE_URL=database_url)
    finished.assert_failed(2, "901_test.py, line … needs the package no_such_module, which …")
    assert_untouched(cluster, database)


def test_two_heads_as_target(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """MIGRATION_TARGET=heads applies a history with two heads."""
    folder = project(tmp_path)
    fork(folder / "alembic" / "versions")
    finished = run_in(folder, migrating, DATABASE_URL=database_url, MIGRATION_TARGET="heads")
    finished.assert_ok()
    finished.assert_says("Schema revision: 901a, 901b (head)")
    assert revisions(cluster, database) == ["901a", "901b"]


def migrated(folder: Path, url: str) -> None:
    run_in(folder, migrating, DATABASE_URL=url).assert_ok()


def test_unknown_revision(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """A database at a revision that this history does not have is refused, both sides named."""
    folder = project(tmp_path)
    migrated(folder, database_url)
    cluster.execute("UPDATE alembic_version SET version_num = 'f00'", database)
    finished = run_in(folder, migrating, DATABASE_URL=database_url)
    finished.assert_failed(
        7,
        f"The database is at f00, and f00 is not in this release's history, whose head is {HEAD}. "
        "Bring the applied files back (check out their branch or commit), run `inv rollback`, come "
        "back, and run `inv migrate`. Or throw this development database away: run `dropdb …`, …",
    )
    assert revisions(cluster, database) == ["f00"]


def test_past(tmp_path: Path, cluster: Cluster, database: str, database_url: str) -> None:
    """A database beyond a pinned target is refused: going down must be asked for."""
    folder = project(tmp_path)
    migrated(folder, database_url)
    finished = run_in(folder, migrating, DATABASE_URL=database_url, MIGRATION_TARGET="006")
    finished.assert_failed(
        7,
        f"The database is at {HEAD}, beyond the target 006. Set MIGRATION_TARGET={HEAD} to stay "
        "there, leave it out to go up to head, or run `inv rollback --target 006` (or "
        "MIGRATION_ROLLBACK=true) to go down.",
    )
    assert revisions(cluster, database) == [HEAD]


def test_a_broken_history_creates_no_database(tmp_path: Path, cluster: Cluster) -> None:
    """A missing database is not made for a history that cannot be applied."""
    folder = project(tmp_path)
    write_revision(folder / "alembic" / "versions", "901", "nope", "pass")
    url = cluster.url("never_made")
    assert run_in(folder, migrating, DATABASE_URL=url).status == 9
    assert cluster.query("SELECT FROM pg_database WHERE datname = 'never_made'") == []


def test_what_a_revision_did_outside_its_transaction_is_not_said_to_be_gone(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """The sentence promises no more than is true: what was committed by hand has stayed."""
    folder = project(tmp_path)
    body = """
    with op.get_context().autocommit_block():
        op.execute("CREATE TABLE stays (i int)")
    op.execute("CREATE TABLE goes (i int)")
    raise RuntimeError("in the middle")
    """
    write_revision(folder / "alembic" / "versions", "901", HEAD, body)
    finished = run_in(folder, migrating, DATABASE_URL=database_url)
    assert finished.status == 5
    sentence = (
        f"The database is at {HEAD} now; what the failure's transaction had changed was rolled"
    )
    assert sentence in finished.stderr[-1]
    found = relations(cluster, database)
    assert ("stays" in found, "goes" in found) == (True, False)
