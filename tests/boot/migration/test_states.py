"""States that only a journal can tell, a history that was edited, and what goes down."""

import json
from pathlib import Path

import pytest

from tests.boot.in_process import migrating, reading_status, rolling_back, run_in, stepping_down
from tests.cluster import Cluster
from tests.history import HEAD, OURS
from tests.scenarios.process import (
    Finished,
    project,
    revisions,
    write_revision,
)
from tests.scenarios.releases import CONTRACT, EXPAND, release

pytestmark = pytest.mark.slow


def migrate(root: Path, url: str, **variables: str) -> Finished:
    return run_in(root, migrating, **{"APP_ENV": "test", "DATABASE_URL": url, **variables})


def roll_back(root: Path, url: str, target: str = "") -> Finished:
    """Take the schema back to a target, or one step."""
    if not target:
        return run_in(root, stepping_down, DATABASE_URL=url)
    down = {"MIGRATION_TARGET": target, "MIGRATION_ROLLBACK": "true"}
    return run_in(root, rolling_back, DATABASE_URL=url, **down)


def status(root: Path, url: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(run_in(root, reading_status, DATABASE_URL=url).printed)
    return found


AHEAD = (
    f"The database is at 902, ahead of this release, whose head is {HEAD}. The journal marks "
    "the additional revisions (901, 902) as expand, so this release works on the schema."
)


class TestAhead:
    """A newer release has migrated the database, and this one is started beside it."""

    @pytest.mark.parametrize("constants", [CONTRACT, "", 'phase = "expnad"'])
    def test_contracted(self, tmp_path: Path, database_url: str, constants: str) -> None:
        """One of them may break this release, and a missing phase counts as that: it refuses."""
        newer = release(tmp_path, "newer", ("901", HEAD, constants), ("902", "901", EXPAND))
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

    def test_rolled_back_by_the_newer(
        self, tmp_path: Path, cluster: Cluster, database: str, database_url: str
    ) -> None:
        """The older release cannot take back what it does not know; the newer one can."""
        newer = release(tmp_path, "newer", ("901", HEAD, EXPAND))
        older = release(tmp_path, "older")
        migrate(newer, database_url).assert_ok()
        roll_back(older, database_url).assert_failed(
            7,
            f"The database is at 901, ahead of this release, whose head is {HEAD}, which cannot "
            "take back what it does not know. 901 was applied … "
            f"run `inv rollback --target {HEAD}`, …",
        )
        roll_back(newer, database_url).assert_ok()
        migrate(older, database_url).assert_says("…(already up to date)")
        assert revisions(cluster, database) == [HEAD]


class TestDiverged:
    """A revision that nobody here knows."""

    SENTENCE = (
        f"The database is at 901, and 901 is not in this release's history, whose head is {HEAD}. "
        "…Bring the applied files back (check out their branch or commit), run `inv rollback…`, …"
    )

    def test_without_a_journal(
        self, tmp_path: Path, cluster: Cluster, database: str, database_url: str
    ) -> None:
        """What the journal has no row of is refused."""
        root = release(tmp_path, "older")
        migrate(root, database_url).assert_ok()
        cluster.execute("UPDATE alembic_version SET version_num = '901'", database)
        assert status(root, database_url)["state"] == "diverged"
        migrate(root, database_url).assert_failed(7, self.SENTENCE)

    def test_on_another_branch(
        self, tmp_path: Path, cluster: Cluster, database: str, database_url: str
    ) -> None:
        """One that does not stand on this release's head is refused, whatever its phase."""
        other = release(tmp_path, "other", ("901", "007", EXPAND))
        migrate(other, database_url, MIGRATION_TARGET="901").assert_ok()
        assert revisions(cluster, database) == ["901"]
        older = release(tmp_path, "older")
        migrate(older, database_url).assert_failed(7, self.SENTENCE)


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

    def test_the_way_back_on_a_laptop(
        self, tmp_path: Path, cluster: Cluster, database: str, database_url: str
    ) -> None:
        """Two branches wrote 901: with the file that was applied it goes down, then ours goes up.

        Trying to go down with the other file does nothing.
        """
        one = release(tmp_path, "one", ("901", HEAD, EXPAND))
        other = release(tmp_path, "other", ("901", HEAD, EXPAND))
        [path] = (other / "alembic" / "versions").glob("901_*")
        path.write_text(path.read_text().replace("t_901", "t_other"))
        migrate(one, database_url).assert_ok()
        migrate(other, database_url).assert_failed(
            9, "901_test.py was edited after it was applied, or …"
        )
        down = roll_back(other, database_url)
        assert down.status == 5
        assert revisions(cluster, database) == ["901"]
        roll_back(one, database_url, HEAD).assert_ok()
        migrate(other, database_url).assert_says("…Applied 901 …")
        assert ("t_other",) in cluster.query("SELECT relname FROM pg_class", database)

    def test_its_comments(self, tmp_path: Path, database_url: str) -> None:
        """Comments, formatting, docstrings, the phase and the downgrade may change."""
        root = release(tmp_path, "edited")
        migrate(root, database_url).assert_ok()
        self.edit(root, "def upgrade", "# A comment that came later.\n\n\ndef upgrade")
        self.edit(root, '"""Video URLs', '"""All video URLs')
        self.edit(root, 'phase = "expand"', 'phase = "contract"')
        self.edit(root, "def downgrade() -> None:", "def downgrade() -> None:\n    del sa")
        finished = migrate(root, database_url, APP_ENV="prod")
        finished.assert_ok()
        finished.assert_never_says("…edited…")

    def test_taken_back_and_edited(self, tmp_path: Path, database_url: str) -> None:
        """What is not applied any more may be edited."""
        root = release(tmp_path, "edited")
        migrate(root, database_url).assert_ok()
        roll_back(root, database_url, "007").assert_ok()
        self.edit(root, "video_url", "film_url")
        finished = migrate(root, database_url, APP_ENV="prod")
        finished.assert_ok()
        finished.assert_never_says("…edited…")


@pytest.mark.parametrize(
    ("downgrade", "why"),
    [
        ("pass", "its downgrade() is empty"),
        ('raise NotImplementedError("one way")', "its downgrade() raises NotImplementedError"),
    ],
)
def test_irreversible(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str, downgrade: str, why: str
) -> None:
    """What cannot be taken back is refused before it starts, by every way of asking for it."""
    root = project(tmp_path)
    write_revision(
        root / "alembic" / "versions", "901", HEAD, 'op.create_table("t")', downgrade, title="Way"
    )
    migrate(root, database_url).assert_ok()
    sentence = (
        f"The schema cannot be taken back: 901 Way: {why}. Write a downgrade(), or restore a "
        "backup. Nothing was changed."
    )
    roll_back(root, database_url).assert_failed(5, sentence)
    roll_back(root, database_url, "005").assert_failed(5, sentence)
    migrate(root, database_url, MIGRATION_ROLLBACK="true").assert_failed(5, sentence)
    assert revisions(cluster, database) == ["901"]


def test_rollback_is_journalled(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """Each revision that is taken back has its row."""
    root = project(tmp_path)
    migrate(root, database_url).assert_ok()
    roll_back(root, database_url, "006").assert_ok()
    assert cluster.query(
        "SELECT revision, down_revision, direction, phase, status FROM schema_journal"
        " WHERE direction = 'downgrade' ORDER BY id",
        database,
    )[-2:] == [
        ("008", "007", "downgrade", "expand", "applied"),
        ("007", "006", "downgrade", "contract", "applied"),
    ]
    journal = status(root, database_url)["journal"]
    assert isinstance(journal, list)
    assert [(row["revision"], row["direction"]) for row in journal[:2]] == [
        ("007", "downgrade"),
        ("008", "downgrade"),
    ]
    assert len(journal) == len(OURS) + len(OURS[6:])
    assert set(journal[0]) >= {"started_at", "finished_at", "duration_ms", "host", "pid", "error"}
