"""What tasks say before they act, or instead: state and plan, status, a question."""

import json
from io import StringIO
from pathlib import Path

import pytest

from tests.boot.in_process import (
    asking_to_step_down,
    migrating,
    previewing,
    reading_status,
    rolling_back,
    run_in,
    seeding,
)
from tests.cluster import Cluster
from tests.history import BEFORE_HEAD, HEAD, OURS
from tests.scenarios.process import (
    assert_untouched,
    project,
    relations,
    revisions,
)

pytestmark = pytest.mark.slow


def test_dry_run_on_a_current_schema(tmp_path: Path, database_url: str) -> None:
    """On a current schema the plan is nothing."""
    folder = project(tmp_path)
    run_in(folder, migrating, DATABASE_URL=database_url).assert_ok()
    finished = run_in(folder, previewing, DATABASE_URL=database_url)
    assert finished.status == 0
    assert tuple(finished.printed.splitlines()) == (
        f"The schema is current: it is at {HEAD}, and the target is {HEAD}.",
        "Plan: nothing",
    )


def test_dry_run_without_a_database(tmp_path: Path, cluster: Cluster) -> None:
    """A dry run does not create the database that the real one would."""
    finished = run_in(project(tmp_path), previewing, DATABASE_URL=cluster.url("not_yet"))
    assert finished.status == 0
    assert (
        finished.printed.splitlines()[0]
        == f"The schema is empty: it is at base, and the target is {HEAD}."
    )
    assert cluster.query("SELECT FROM pg_database WHERE datname = 'not_yet'") == []


def status_of(folder: Path, url: str, **variables: str) -> dict[str, object]:
    finished = run_in(folder, reading_status, DATABASE_URL=url, **variables)
    assert finished.status == 0
    found: dict[str, object] = json.loads(finished.printed)
    return found


def test_status_as_json(tmp_path: Path, cluster: Cluster, database: str, database_url: str) -> None:
    """`status --json` is one object with these keys and no others, at every stage."""
    folder = project(tmp_path)
    masked = f"postgresql://moriai_user:***@127.0.0.1:{cluster.port}/{database}"
    [(version,)] = cluster.query("SHOW server_version")
    expected: dict[str, object] = {
        "state": "empty",
        "current": [],
        "heads": [HEAD],
        "target": HEAD,
        "pending": list(OURS),
        "database": masked,
        "server_version": version,
        "journal": [],
    }
    assert status_of(folder, database_url) == expected
    assert_untouched(cluster, database)

    run_in(folder, migrating, MIGRATION_TARGET="006", DATABASE_URL=database_url).assert_ok()
    behind = {"state": "behind", "current": ["006"], "pending": list(OURS[6:])}
    found = status_of(folder, database_url)
    journal = found["journal"]
    assert isinstance(journal, list)
    assert [row["revision"] for row in journal] == list(OURS[5::-1])
    assert found == {**expected, **behind, "journal": journal}
    pinned = {"state": "current", "current": ["006"], "pending": [], "target": "006"}
    found = status_of(folder, database_url, MIGRATION_TARGET="006")
    assert found == {**expected, **pinned, "journal": journal}

    run_in(folder, migrating, DATABASE_URL=database_url).assert_ok()
    current = {"state": "current", "current": [HEAD], "pending": []}
    found = status_of(folder, database_url)
    assert found == {**expected, **current, "journal": found["journal"]}
    past = {"state": "past", "current": [HEAD], "pending": [], "target": "006"}
    past_its_target = status_of(folder, database_url, MIGRATION_TARGET="006")
    assert past_its_target == {**expected, **past, "journal": found["journal"]}

    cluster.execute("UPDATE alembic_version SET version_num = 'f00'", database)
    diverged = status_of(folder, database_url)
    assert (diverged["state"], diverged["current"]) == ("diverged", ["f00"])
    cluster.execute("DROP TABLE alembic_version", database)
    assert status_of(folder, database_url)["state"] == "unmanaged"


def test_status_without_a_database(tmp_path: Path, cluster: Cluster) -> None:
    """`status` of a database that is missing does not create it."""
    finished = run_in(project(tmp_path), reading_status, DATABASE_URL=cluster.url("not_yet"))
    assert (finished.status, finished.printed) == (4, "")
    assert finished.stderr[-1].startswith("Database 'not_yet' does not exist at ")
    assert cluster.query("SELECT FROM pg_database WHERE datname = 'not_yet'") == []


@pytest.fixture
def migrated(tmp_path: Path, database_url: str) -> Path:
    """Give a project whose database is at head."""
    folder = project(tmp_path)
    run_in(folder, migrating, DATABASE_URL=database_url).assert_ok()
    return folder


@pytest.mark.parametrize("answer", ["n\n", "\n", "no\n", "perhaps\n"])
def test_rollback_declined(
    migrated: Path,
    cluster: Cluster,
    database: str,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    answer: str,
) -> None:
    """`rollback` shows the plan and asks; anything but yes changes nothing."""
    monkeypatch.setattr("sys.stdin", StringIO(answer))
    run_in(migrated, asking_to_step_down, DATABASE_URL=database_url).assert_ok()
    text = capfd.readouterr().out
    assert f"Plan: downgrade\n  {HEAD} " in text
    assert "Take these revisions back, with the data that only they hold? [y/N] " in text
    assert text.endswith("Nothing was changed.\n")
    assert revisions(cluster, database) == [HEAD]


def test_rollback_to_a_target(
    migrated: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """`rollback --yes --target` goes down to a revision, or to base, and up again."""
    down = {"DATABASE_URL": database_url, "MIGRATION_ROLLBACK": "true"}
    finished = run_in(migrated, rolling_back, MIGRATION_TARGET="003", **down)
    finished.assert_ok()
    finished.assert_says(*(f"Reverted {it} …" for it in OURS[:2:-1]), "Schema revision: 003")
    assert revisions(cluster, database) == ["003"]
    run_in(migrated, rolling_back, MIGRATION_TARGET="base", **down).assert_ok()
    assert relations(cluster, database) == ["alembic_version"]
    run_in(migrated, migrating, DATABASE_URL=database_url).assert_ok()
    assert revisions(cluster, database) == [HEAD]


def test_seed_on_a_schema_behind(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """`seed` needs the schema that its models describe."""
    folder = project(tmp_path)
    run_in(folder, migrating, MIGRATION_TARGET=BEFORE_HEAD, DATABASE_URL=database_url).assert_ok()
    finished = run_in(folder, seeding, DATABASE_URL=database_url)
    finished.assert_failed(
        10,
        f"The schema is behind at {BEFORE_HEAD}, and the seed data is made for {HEAD}. "
        "See `inv status`; `inv migrate` brings it there if anything does.",
    )
    assert cluster.query("SELECT count(*) FROM users", database) == [(0,)]
