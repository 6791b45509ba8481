"""`inv check` names the revision that does not come back to where it was."""

from pathlib import Path

import pytest

from tests.boot.in_process import checking, theirs
from tests.cluster import Cluster
from tests.scenarios.process import assert_untouched

pytestmark = pytest.mark.slow

CREATE = 'op.create_table("notes", sa.Column("id", sa.Integer))'
UNREPEATABLE = {
    "leaves a table behind": (CREATE, "pass", "b2 leaves behind on its way down: …notes…"),
    "raises on its way down": (
        CREATE,
        'raise RuntimeError("no way back")',
        "On the way down: Migration b2 Foreign b2 failed: …RuntimeError: no way back.",
    ),
    "raises on its way up": (
        'raise RuntimeError("no way")',
        "pass",
        "On the way up: Migration b2 Foreign b2 failed: …RuntimeError: no way.",
    ),
    "makes something else the second time": (
        """
        if op.get_bind().scalar(sa.text("SELECT to_regclass('seen') IS NULL")):
            op.execute("CREATE TABLE seen ()")
        else:
            op.execute("ALTER TABLE seen ADD COLUMN again int")
        """,
        'op.execute("SELECT 1")',
        "b2 comes back different: …again…",
    ),
    "loses a column on its way down": (
        'op.alter_column("books", "title", new_column_name="name")',
        'op.drop_column("books", "name")',
        "b2 leaves behind on its way down: …title…",
    ),
}


@pytest.mark.parametrize("name", UNREPEATABLE)
def test_a_lossy_revision(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str, name: str
) -> None:
    """The real database is left alone, and no scratch database stays."""
    upgrade, downgrade, complaint = UNREPEATABLE[name]
    their = theirs(tmp_path, database_url)
    books = 'op.create_table("books", sa.Column("title", sa.Text))'
    their.project.revision("a1", None, books, 'op.drop_table("books")')
    their.project.revision("b2", "a1", upgrade, downgrade)
    finished = their.run(checking)
    finished.assert_says(complaint)
    finished.assert_failed(9, "The history fails … check…. Fix the revisions, or the models, …")
    assert_untouched(cluster, database)
    scratches = "SELECT FROM pg_database WHERE starts_with(datname, '{}_scratch')"
    assert cluster.query(scratches.format(database)) == []
