"""Revision ids that a database has no characters for: a table, and real databases."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from alembic_boot.errors import HistoryBrokenError
from alembic_boot.running.record import stamp
from alembic_boot.state.unrecordable import unencodable
from tests.boot.adoption.unmanaged import Theirs
from tests.cluster import OWNER, Cluster


@pytest.mark.parametrize(
    ("ids", "server", "client", "expected"),
    [
        (("a1", "b2"), "SQL_ASCII", "SQL_ASCII", None),
        (("a1", "über"), "UTF8", "LATIN1", None),
        (("a1", "über"), "LATIN1", "UTF8", None),
        (("über", "그림"), "LATIN1", "UTF8", ("그림",)),
        (("그림",), "EUC_KR", "UTF8", None),
        (("über", "그림"), "SQL_ASCII", "SQL_ASCII", ("über", "그림")),
        (("über", "그림"), "SQL_ASCII", "LATIN1", ("그림",)),
        (("그림",), "SQL_ASCII", "UTF8", None),  # SQL_ASCII keeps the bytes as they come
        (("그림",), "NO_SUCH_ENCODING", "UTF8", None),
    ],
)
def test_which_have_no_characters(
    ids: tuple[str, ...], server: str, client: str, expected: tuple[str, ...] | None
) -> None:
    found = unencodable(ids, server, client)
    assert (found and found.ids) == expected


@pytest.fixture
def latin(cluster: Cluster) -> Iterator[str]:
    """Give a database in LATIN1."""
    name = f"test_{uuid4().hex[:12]}"
    cluster.execute(
        f"CREATE DATABASE {name} OWNER {OWNER} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"
    )
    yield name
    cluster.execute(f"DROP DATABASE {name} WITH (FORCE)")


COMMITS = 'with op.get_context().autocommit_block():\n    op.execute("CREATE TABLE t ()")'


@pytest.mark.slow
def test_nothing_runs_before_the_refusal(tmp_path: Path, cluster: Cluster, latin: str) -> None:
    """Neither the revision, which commits a part of itself, nor those before it."""
    theirs = Theirs(tmp_path, cluster, latin)
    theirs.project.revision("über")
    theirs.project.revision("그림", "über", COMMITS)
    for act in (theirs.migrate, lambda: stamp(theirs.boot, "그림")):
        with pytest.raises(HistoryBrokenError) as caught:
            act()
        assert str(caught.value) == (
            "The revision id 그림 has characters that the encoding of the database (LATIN1) does "
            "not have. Give the revision an id of letters and digits in ASCII. Nothing was changed."
        )
    named = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    assert theirs.query(named) == []
