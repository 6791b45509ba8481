"""Each layout boots with the wheel, as its people would type it in its own folder."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster import Cluster
from tests.strangers.conftest import MakeEnvironment
from tests.strangers.layouts import LAYOUTS, Layout, Stranger, copied

pytestmark = pytest.mark.slow

MakeStranger = Callable[[Layout], Stranger]

BROKEN = """
from alembic import op

revision = "broken"
down_revision = {below!r}
branch_labels = None
depends_on = None


def upgrade():
    op.execute("SELECT * FROM not_there")


def downgrade():
    pass
"""


@pytest.fixture
def stranger(
    tmp_path: Path, wheel: Path, environment_of: MakeEnvironment, cluster: Cluster, database: str
) -> MakeStranger:
    """Give what copies a layout, with the empty database and the environment of its class."""
    return lambda layout: Stranger(
        copied(layout, tmp_path / "project"),
        environment_of(f"alembic-boot[binary] @ {wheel.as_uri()}", *layout.packages),
        {**layout.variables(cluster, database), **layout.surroundings},
        layout.options,
    )


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_a_layout(layout: Layout, stranger: MakeStranger, cluster: Cluster, database: str) -> None:
    """Three starters at once, a look, a check, an adoption, and a revision that is broken."""
    theirs = stranger(layout)
    before = _files(theirs.folder)
    starts = theirs.boot_at_once([["migrate"]] * 3)
    assert [it.status for it in starts] == [0, 0, 0], starts
    assert sum(it.stdout.count("Applied ") for it in starts) == 2, starts

    status = json.loads(theirs.boot("status", "--json").stdout)
    assert (status["state"], status["pending"]) == ("current", [])
    checked = theirs.boot("check", "--all")
    assert checked.status == 0, checked

    named = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename ~ 'version$'"
    [(versions,)] = cluster.query(named, database)
    cluster.execute(f"DROP TABLE {versions}, schema_journal", database)
    adopted = theirs.boot("adopt")
    assert (adopted.status, theirs.boot("status").status) == (0, 0), adopted
    assert _files(theirs.folder) == before

    below = status["current"][0]
    (theirs.folder / layout.versions / "broken.py").write_text(BROKEN.format(below=below))
    failed = theirs.boot("migrate")
    assert failed.status == 5, failed
    assert "not_there" in failed.stderr


def _files(folder: Path) -> set[Path]:
    return {it for it in folder.rglob("*") if "__pycache__" not in it.parts}
