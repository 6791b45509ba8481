"""Each layout boots with the wheel, as its people would type it in its own folder."""

import json
from dataclasses import replace
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


def test_alembic_ignores_the_journal(stranger: MakeStranger) -> None:
    """The wheel brings a plugin for Alembic's own comparison."""
    theirs = stranger(LAYOUTS[0])
    assert theirs.boot("migrate").status == 0
    checked = theirs.run("alembic", "check")
    assert checked.status == 0, checked


def test_two_histories_in_one_database(stranger: MakeStranger) -> None:
    """The second history needs one more step, once: to record that it is at base."""
    [layout] = [it for it in LAYOUTS if it.project == "two_histories"]
    billing = stranger(layout)
    catalog = replace(billing, options=("-n", "catalog"))
    assert billing.boot("migrate").status == 0
    refused = catalog.boot("migrate")
    assert refused.status == 8
    assert "alembic-boot -n catalog stamp --revision base`" in refused.stderr
    for history, words in (
        (catalog, ["stamp", "--revision", "base"]),
        (catalog, ["migrate"]),
        (billing, ["migrate"]),
    ):
        finished = history.boot(*words)
        assert finished.status == 0, finished
    for history, rows in (
        (billing, ["b6f5e4d3c2b1", "b1a2b3c4d5e6"]),
        (catalog, ["c6f5e4d3c2b1", "c1a2b3c4d5e6", "base"]),
    ):
        status = json.loads(history.boot("status", "--json").stdout)
        assert (status["state"], status["current"]) == ("current", rows[:1])
        assert [row["revision"] for row in status["journal"]] == rows


def files(folder: Path) -> set[Path]:
    return {it for it in folder.rglob("*") if "__pycache__" not in it.parts}
