"""What readiness reads of the journal if no boot has handed its target over."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from alembic_boot.migration.migrate import migrate
from alembic_boot.serving.readiness_check import ReadinessCheck
from alembic_boot.state.journal import Journal
from tests.boot.adoption.unmanaged import Theirs
from tests.cluster import Cluster


@pytest.fixture
def theirs(tmp_path: Path, cluster: Cluster, database: str) -> Theirs:
    """Give a project whose database is at head."""
    theirs = Theirs(tmp_path, cluster, database)
    theirs.project.revision("a1")
    migrate(theirs.boot)
    return theirs


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give what has read the whole journal so far."""
    reads: list[str] = []
    applied = Journal.applied

    def counted(journal: Journal, connection: object) -> object:
        reads.append(journal.table)
        return applied(journal, connection)  # type: ignore[arg-type]

    monkeypatch.setattr(Journal, "applied", counted)
    return reads


def test_a_journal_that_says_nothing_new_is_read_once(theirs: Theirs, reads: list[str]) -> None:
    """It may have thousands of rows, and a probe comes every second."""
    check = ReadinessCheck(theirs.boot)
    with closing(theirs.cluster.connect(theirs.database)) as connection:
        assert [check.evaluate(connection).ready for _ in range(3)] == [True] * 3
    assert len(reads) <= 1


def test_neither_is_one_of_a_schema_that_is_behind(theirs: Theirs, reads: list[str]) -> None:
    """Its files are the same as well."""
    theirs.project.revision("b2", "a1")
    check = ReadinessCheck(theirs.boot)
    with closing(theirs.cluster.connect(theirs.database)) as connection:
        assert [check.evaluate(connection).state for _ in range(3)] == ["behind"] * 3
    assert len(reads) <= 1


def test_readiness_needs_no_alembic() -> None:
    """In a process of its own: this one has imported everything."""
    code = (
        "import sys, alembic_boot.serving.readiness\n"
        "print({'alembic', 'sqlalchemy', 'pgparse'} & set(sys.modules))"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert said.stdout == "set()\n"
