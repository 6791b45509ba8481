"""Each layout boots with the wheel, as its people would type it in its own folder."""

import json
from pathlib import Path

import pytest

from tests.cluster import Cluster
from tests.strangers.layouts import BROKEN, LAYOUTS, Layout, MakeStranger

pytestmark = pytest.mark.slow

SERVE = ["run", "--", "python", "-c", "print('served')"]
"""A start whose command only tells that it was reached."""


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_a_layout(layout: Layout, stranger: MakeStranger, cluster: Cluster, database: str) -> None:
    """Three starters at once, a look, a check, an adoption, and a revision that is broken."""
    theirs = stranger(layout)
    before = files(theirs.folder)
    starts = theirs.boot_at_once([SERVE] * 3)
    assert [(it.status, it.stdout.splitlines()[-1]) for it in starts] == [(0, "served")] * 3, starts
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
    assert files(theirs.folder) == before

    below = status["current"][0]
    (theirs.folder / layout.versions / "broken.py").write_text(BROKEN.format(below=below))
    failed = theirs.boot(*SERVE)
    assert (failed.status, "served" in failed.stdout) == (5, False), failed
    assert "not_there" in failed.stderr


def files(folder: Path) -> set[Path]:
    return {it for it in folder.rglob("*") if "__pycache__" not in it.parts}
