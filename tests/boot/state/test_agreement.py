"""A journal that says nothing else than the files on disk is told by one hash, and not read."""

from collections.abc import Callable

import pytest
from psycopg2 import sql

from alembic_boot.environment.version_table import VersionTable
from alembic_boot.history.history import History, Revision
from alembic_boot.postgres.connection import connected
from alembic_boot.postgres.urls import parse_database_url
from alembic_boot.state.edits import agreed_digest, digest_of
from alembic_boot.state.facts import read_facts
from alembic_boot.state.journal_queries import CREATE, DIGEST
from tests.cluster import OWNER, Cluster

TABLE = VersionTable("alembic_version", "public")

A1 = Revision("a1", (), "Users", file_sha256="01")
B2 = Revision("b2", ("a1",), "Books", file_sha256="02")
B3 = Revision("b-3", ("a1",), "Pages", file_sha256="03")
C4 = Revision("C4", ("b2", "b-3"), "Both", file_sha256=None)
D5 = Revision("한글", ("C4",), "Voices", file_sha256="05")
E6 = Revision("e6", ("한글",), "Not applied", file_sha256="06")
HISTORY = History({it.id: it for it in (A1, B2, B3, C4, D5, E6)})
APPLIED = (A1, B2, B3, C4, D5)

_ROW = """
INSERT INTO schema_journal (version_table, revision, down_revision, direction, phase, file_sha256,
                            status, started_at, host, pid)
VALUES (%s, %s, %s, %s, 'contract', %s, %s, now(), 'h', 1)
"""

Write = Callable[..., None]


@pytest.fixture
def write(cluster: Cluster, database: str) -> Write:
    """Give what adds rows to the journal of an otherwise empty database."""
    cluster.execute(
        f"SET ROLE {OWNER}; CREATE TABLE alembic_version (version_num text);"
        f"{CREATE.format(journal='schema_journal')}",
        database,
    )

    def write(
        *revisions: Revision,
        direction: str = "upgrade",
        status: str = "applied",
        table: str = "public.alembic_version",
    ) -> None:
        with cluster.connect(database) as connection, connection.cursor() as cursor:
            for it in revisions:
                parents = ",".join(it.parents) or None
                values = (table, it.id, parents, direction, it.file_sha256, status)
                cursor.execute(_ROW, values)

    return write


def digest(database_url: str) -> str:
    with connected(parse_database_url(database_url)) as connection:
        cursor = connection.cursor()
        cursor.execute(DIGEST.format(journal="schema_journal"), ("public.alembic_version",))
        [(found,)] = cursor.fetchall()
        return found or ""


def test_server_and_files_agree(write: Write, database_url: str) -> None:
    """Merges, files without a source, ids in any script: the rows' order does not matter."""
    write(*reversed(APPLIED))
    assert digest(database_url) == digest_of(APPLIED) == agreed_digest(["한글"], HISTORY)


def test_what_the_journal_keeps_besides(write: Write, database_url: str) -> None:
    """Rows that were undone, failed, are running, or are another history's, do not count."""
    write(A1, B2, E6)
    write(E6, direction="downgrade")
    write(D5, status="failed")
    write(C4, status="running")
    write(D5, table="other.alembic_version")
    assert digest(database_url) == digest_of([A1, B2])


def test_the_last_way_counts(write: Write, database_url: str) -> None:
    """A file that was applied, undone and applied again counts as it was the last time."""
    former = Revision("b2", ("a1",), "Books", file_sha256="99")
    write(A1, former)
    write(former, direction="downgrade")
    write(B2)
    assert digest(database_url) == digest_of([A1, B2])
    write(B2, direction="stamp")
    assert digest(database_url) == digest_of([A1, B2])


@pytest.mark.parametrize(
    "row",
    [
        Revision("b2", ("a1",), "Books", file_sha256="99"),
        Revision("b2", ("a1",), "Books", file_sha256=None),
        Revision("b2", (), "Books", file_sha256="02"),
        Revision("b2", ("b-3",), "Books", file_sha256="02"),
        Revision("b3", ("a1",), "Books", file_sha256="02"),
    ],
)
def test_any_difference(write: Write, database_url: str, row: Revision) -> None:
    """An edited file, another parent, another id: the hash is another one."""
    write(A1, row)
    assert digest(database_url) != agreed_digest(["b2"], HISTORY)


def test_a_revision_more_or_less(write: Write, database_url: str) -> None:
    """A journal that began late, or has what no row of the version table stands on."""
    write(B2)
    assert digest(database_url) != agreed_digest(["b2"], HISTORY)
    write(A1)
    assert digest(database_url) == agreed_digest(["b2"], HISTORY)
    write(B3)
    assert digest(database_url) != agreed_digest(["b2"], HISTORY)


def test_an_unknown_row() -> None:
    """No journal agrees with files that do not exist."""
    assert agreed_digest(["a1", "zz"], HISTORY) is None


def test_no_rows(write: Write, database_url: str) -> None:
    """A journal without rows says nothing, like one that does not exist."""
    assert digest(database_url) == ""
    write(A1, status="failed")
    assert digest(database_url) == "" == digest_of([]) == agreed_digest([], HISTORY)


def test_only_an_agreeing_journal_is_not_read(write: Write, database_url: str) -> None:
    """As soon as the journal says anything else, its rows are read."""
    write(A1, B2)
    with connected(parse_database_url(database_url)) as connection:
        agreeing = read_facts(connection, TABLE, agreed=lambda _current: digest_of([A1, B2]))
        differing = read_facts(connection, TABLE, agreed=lambda _current: digest_of([A1]))
        asked = read_facts(connection, TABLE)
    assert agreeing.journal == ()
    assert {it.revision for it in differing.journal} == {"a1", "b2"}
    assert differing.journal == asked.journal
    assert agreeing.digest == differing.digest == asked.digest


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_other_encodings(cluster: Cluster, encoding: str) -> None:
    """Ids in ASCII have the same hash in a database of any encoding; others cost no error."""
    name = f"agreement_{encoding.lower()}"
    making = "CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING {} LOCALE 'C'"
    cluster.execute(
        sql.SQL(making).format(sql.Identifier(name), sql.Identifier(OWNER), sql.Literal(encoding))
    )
    try:
        cluster.execute(f"SET ROLE {OWNER}; {CREATE.format(journal='schema_journal')}", name)
        insert = (
            "INSERT INTO schema_journal (version_table, revision, direction, phase, file_sha256,"
            " status, started_at, host, pid) VALUES ('public.alembic_version', {}, 'upgrade',"
            " 'contract', '01', 'applied', now(), 'h', 1)"
        )
        cluster.execute(insert.format("'a1'"), name)
        url = cluster.url(name)
        assert digest(url) == digest_of([A1])
        cluster.execute(insert.format("chr(233)"), name)
        assert digest(url) != digest_of([A1])
    finally:
        cluster.execute(f"DROP DATABASE {name} WITH (FORCE)")
