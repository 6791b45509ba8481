"""A history of hundreds of files: read by a child process, and the same as any other."""

from pathlib import Path

import pytest

from tests.cluster import Cluster
from tests.scenarios.process import ForeignProject, project, revisions, run

pytestmark = pytest.mark.slow

COUNT = 600
HEAD = f"r{COUNT:03}"

FILE = '"""Step {n}."""\n\nrevision = "r{n:03}"\ndown_revision = {parent}\n\n\n'


@pytest.fixture
def theirs(tmp_path: Path) -> ForeignProject:
    """Give a project with more revisions than one process reads alone."""
    theirs = ForeignProject(tmp_path / "theirs")
    for n in range(1, COUNT + 1):
        parent = f'"r{n - 1:03}"' if n > 1 else None
        text = FILE.format(n=n, parent=parent) + "def upgrade():\n    pass\n"
        (theirs.versions / f"r{n:03}.py").write_text(text)
    return theirs


def test_a_long_history(
    tmp_path: Path, theirs: ForeignProject, cluster: Cluster, database: str, database_url: str
) -> None:
    """Nothing to do is told at once; an edited file, and a new one, are noticed at the next look.

    The first run brings the database there, so its journal has every file.
    """
    root = project(tmp_path)
    variables = {"ALEMBIC_CONFIG": str(theirs.config), "DATABASE_URL": database_url}

    first = run(root, "migrate", **variables)
    first.assert_ok()
    first.assert_says(f"Applied {HEAD} Step {COUNT} (…)", f"Schema revision: {HEAD} (head)")

    again = run(root, "migrate", **variables)
    again.assert_ok()
    again.assert_says("Database migrations completed successfully (already up to date)")
    assert revisions(cluster, database) == [HEAD]

    path = theirs.versions / "r300.py"
    before = path.read_text()
    path.write_text(f"# A comment changes nothing.\n{before}")
    run(root, "migrate", **variables).assert_ok()
    path.write_text(before.replace("pass", "print()"))
    edited = run(root, "migrate", **variables)
    assert edited.status == 9
    assert "r300.py was edited after it was applied" in edited.stderr[-1]
    path.write_text(before)

    new = FILE.format(n=COUNT + 1, parent=f'"{HEAD}"') + "def upgrade():\n    pass\n"
    (theirs.versions / "new.py").write_text(new)
    run(root, "migrate", **variables).assert_says(f"Applied r{COUNT + 1} Step {COUNT + 1} (…)")
