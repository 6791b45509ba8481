"""Starts in the states that only a journal can tell, and on a history that was edited.

What needs no start is in tests/boot/migration/test_states.py.
"""

import json
from pathlib import Path

import httpx
import pytest

from alembic_boot.errors import HistoryBrokenError, SchemaAheadError
from tests.api.probes import readiness
from tests.cluster import Cluster
from tests.history import HEAD
from tests.scenarios.process import (
    Finished,
    revisions,
    run,
    running,
)
from tests.scenarios.releases import CONTRACT, EXPAND, release

pytestmark = pytest.mark.slow


def migrate(root: Path, url: str, *arguments: str, **variables: str) -> Finished:
    return run(root, "migrate", *arguments, **{"APP_ENV": "test", "DATABASE_URL": url, **variables})


def status(root: Path, url: str) -> dict[str, object]:
    [line] = run(root, "status", "--json", DATABASE_URL=url).stdout
    found: dict[str, object] = json.loads(line)
    return found


AHEAD = (
    f"The database is at 902, ahead of this release, whose head is {HEAD}. The journal marks "
    "the additional revisions (901, 902) as expand, so this release works on the schema."
)


class TestAhead:
    """A newer release has migrated the database, and this one is started beside it."""

    def test_expanded(
        self, tmp_path: Path, cluster: Cluster, database: str, database_url: str
    ) -> None:
        """It serves with a warning, ready, and seeds nothing."""
        newer = release(tmp_path, "newer", ("901", HEAD, EXPAND), ("902", "901", EXPAND))
        older = release(tmp_path, "older")
        migrate(newer, database_url).assert_ok()
        assert (status(older, database_url)["state"], status(older, database_url)["pending"]) == (
            "ahead",
            [],
        )
        finished = migrate(older, database_url)
        finished.assert_ok()
        finished.assert_says(AHEAD, "Schema revision: 902")
        finished.assert_never_says("Database migrations completed successfully…")
        preview = run(older, "start", "--dry-run", DATABASE_URL=database_url)
        assert preview.messages[-3:] == [
            f"The schema is ahead of this release: it is at 902, and the target is {HEAD}.",
            AHEAD,
            "Plan: nothing",
        ]
        variables = {"DATABASE_URL": database_url, "APP_ENV": "test", "BACKEND_PORT": "0"}
        with running(older, "start", **variables) as inv:
            answer = httpx.get(f"{inv.url}/health/ready")
            assert (answer.status_code, answer.json()["state"]) == (200, "ahead")
            inv.wait_for("Seeding skipped: the schema is ahead of this release")
        assert cluster.query("SELECT count(*) FROM books", database) == [(0,)]
        assert revisions(cluster, database) == ["902"]

    def test_contracted(self, tmp_path: Path, database_url: str) -> None:
        """One of them may break this release: it refuses."""
        newer = release(tmp_path, "newer", ("901", HEAD, CONTRACT), ("902", "901", EXPAND))
        older = release(tmp_path, "older")
        migrate(newer, database_url).assert_ok()
        what = (
            f"The database is at 902, ahead of this release, whose head is {HEAD}, and 901 is not "
            "journalled as expand. 902 was applied … by host …, release …. "
        )
        migrate(older, database_url, APP_ENV="prod").assert_failed(
            7,
            f"{what}Deploy the release that has it, or roll the database back with that release. "
            "Nothing was changed.",
        )
        sentence = (
            f"{what}Bring the applied files back (check out their branch or commit), run "
            f"`inv rollback --target {HEAD}`, come back, and run `inv migrate`. Or throw this "
            "development database away: run `dropdb …`, …"
        )
        migrate(older, database_url).assert_failed(7, sentence)
        start = {"DATABASE_URL": database_url, "BACKEND_PORT": "0"}
        run(older, "start", APP_ENV="test", **start).assert_failed(7, sentence)
        with running(older, "start", APP_ENV="dev", **start) as inv:
            inv.wait_for("Database migrations failed, but continuing...")
            answer = httpx.get(f"{inv.url}/health/ready")
            assert answer.status_code == 503
            assert answer.json()["reason"] == SchemaAheadError.words
            inv.wait_for(f"Not ready: {sentence}")


class TestDiverged:
    """A revision that nobody here knows."""

    def test_a_journal_that_may_not_be_read(
        self, tmp_path: Path, cluster: Cluster, database: str, database_url: str
    ) -> None:
        """An application's role that may not read the journal is as ready on a current schema."""
        root = release(tmp_path, "older")
        migrate(root, database_url).assert_ok()
        cluster.execute("CREATE ROLE reader LOGIN PASSWORD 'reader'")
        try:
            cluster.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", database)
            cluster.execute("REVOKE ALL ON schema_journal FROM reader", database)
            variables = {
                "MIGRATION_DATABASE_URL": database_url,
                "DATABASE_URL": cluster.url(database, "reader", "reader"),
                "BACKEND_PORT": "0",
            }
            with running(root, "start", APP_ENV="test", SEED="false", **variables) as inv:
                answer = httpx.get(f"{inv.url}/health/ready")
                assert (answer.status_code, answer.json()["state"]) == (200, "current")
        finally:
            cluster.execute("DROP OWNED BY reader", database)
            cluster.execute("DROP ROLE reader")


class TestEdited:
    """A revision's file says something else than when it was applied."""

    SENTENCE = (
        "008_video_urls.py was edited after it was applied, or it is another revision with the "
        "same id: revision 008 of this database (applied … by host …, release …) has other "
        "code than the file. "
    )

    @staticmethod
    def edit(root: Path, old: str, new: str) -> None:
        [path] = (root / "alembic" / "versions").glob("008_*.py")
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def test_the_code(self, tmp_path: Path, database_url: str) -> None:
        """It is an error, and nothing is called up to date; production advises another way out."""
        root = release(tmp_path, "edited")
        migrate(root, database_url).assert_ok()
        self.edit(root, "video_url", "film_url")
        way = f"{self.SENTENCE}Bring the applied files back (check out their branch or commit), …"
        finished = migrate(root, database_url)
        finished.assert_failed(9, way)
        finished.assert_never_says("…up to date…")
        found = run(root, "status", DATABASE_URL=database_url)
        assert "differs   008 Video URLs of books and pages" in found.stdout
        assert status(root, database_url)["state"] == "diverged"
        refused = run(root, "migrate", DATABASE_URL=database_url, APP_ENV="prod")
        refused.assert_failed(
            9,
            f"{self.SENTENCE}Put the file back as it was, and write what it should do into a new "
            "revision. Nothing was changed.",
        )
        with running(root, "start", DATABASE_URL=database_url, BACKEND_PORT="0") as inv:
            inv.wait_for("Database migrations failed, but continuing...")
            for _ in range(2):
                answer = httpx.get(f"{inv.url}/health/ready")
                assert (answer.status_code, answer.json()["state"]) == (503, "diverged")
                assert answer.json()["reason"] == HistoryBrokenError.words
            inv.wait_for(f"Not ready: {way}")

    def test_found_while_serving(
        self, tmp_path: Path, cluster: Cluster, database: str, database_url: str
    ) -> None:
        """Readiness looks by itself: another branch's start may have come in between."""
        root = release(tmp_path, "served")
        with running(root, "start", DATABASE_URL=database_url, BACKEND_PORT="0") as inv:
            assert httpx.get(f"{inv.url}/health/ready").status_code == 200
            cluster.execute(
                "UPDATE schema_journal SET file_sha256 = 'a', checksum = 'b'"
                f" WHERE revision = '{HEAD}'",
                database,
            )
            with httpx.Client(base_url=inv.url) as client:
                assert readiness(client, 503).json()["state"] == "diverged"
