"""`inv migrate --sql` prints a script for psql and nothing else, or nothing at all.

What is in the script is shown by tests/boot/migration/test_script_for_psql.py and test_render.py.
"""

from contextlib import closing
from pathlib import Path

import pytest

from alembic_boot.sql.pieces import parts
from tests.cluster import Cluster
from tests.history import HEAD
from tests.scenarios.process import (
    Finished,
    assert_untouched,
    matches,
    project,
    revisions,
    run,
    write_revision,
)

pytestmark = pytest.mark.slow


def script(finished: Finished) -> str:
    assert finished.status == 0, finished
    return "\n".join(finished.stdout)


def assert_refused(finished: Finished, status: int, sentence: str) -> None:
    """Fail unless it ended with this status and sentence, and printed nothing for psql."""
    assert (finished.status, finished.stdout) == (status, ()), finished
    assert matches(finished.stderr[-1], sentence), finished.stderr[-1]


def execute(cluster: Cluster, database: str, text: str) -> None:
    """Run a script as the owner in one session, statement by statement as psql does."""
    with closing(cluster.connect(database)) as connection:
        cursor = connection.cursor()
        cursor.execute("SET ROLE moriai_user")
        for statement in parts(text):
            cursor.execute(text[statement[0].start : statement[-1].end])


def test_to_a_target(tmp_path: Path, cluster: Cluster, database: str, database_url: str) -> None:
    """The target is obeyed, and one that is reached leaves nothing to run."""
    root = project(tmp_path)
    text = script(run(root, "migrate", "--sql", "--target", "003", DATABASE_URL=database_url))
    assert_untouched(cluster, database)
    execute(cluster, database, text)
    assert revisions(cluster, database) == ["003"]
    nothing = run(root, "migrate", "--sql", "--target", "003", DATABASE_URL=database_url)
    assert nothing.stdout == ("-- The schema is current at 003: there is nothing to run.",)


def test_both_previews(tmp_path: Path, database_url: str) -> None:
    """State and plan are not SQL: one of the two has to be chosen."""
    finished = run(project(tmp_path), "migrate", "--sql", "--dry-run", DATABASE_URL=database_url)
    finished.assert_failed(2, "--dry-run and --sql print different things. Use one of them.")


def test_what_cannot_be_rendered(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """A revision that needs a database is said by name, and no half of a script is printed."""
    root = project(tmp_path)
    upgrade = 'n = op.get_bind().execute(sa.text("SELECT 1")).scalar()'
    write_revision(root / "alembic" / "versions", "901", HEAD, upgrade)
    assert_refused(
        run(root, "migrate", "--sql", DATABASE_URL=database_url),
        5,
        "Migration 901 A test's own cannot be rendered as SQL: 901_test.py, line …: …. It needs a "
        "database to run on, which `inv migrate` gives it. Nothing was changed.",
    )
    assert_untouched(cluster, database)
