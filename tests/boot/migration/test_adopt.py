"""Whatever a database differs in from a revision is named, and it is not taken for that one."""

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg2.extensions import connection as Connection

from backend.boot.catalogue.comparison import Catalogue
from backend.boot.catalogue.likeness import Likenesses, liken
from backend.boot.catalogue.reading import IGNORED_TABLES, read_catalogue
from backend.boot.description import BootDescription
from backend.boot.environment.opening import open_project
from backend.boot.errors import SchemaUnmanagedError
from backend.boot.migration.adopt import adopt
from backend.boot.migration.migrate import migrate
from backend.boot.migration.replay import open_scratch, revisions_made
from backend.boot.postgres.urls import parse_database_url
from backend.settings import load_settings
from tests.boot.catalogue.planted import PLANTED, Planted
from tests.cluster import SUPERUSER, Cluster
from tests.scenarios.process import ForeignProject

pytestmark = pytest.mark.slow

SERVERS = (
    "CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER here FOREIGN DATA WRAPPER nowhere;"
    "CREATE SERVER there FOREIGN DATA WRAPPER nowhere"
)
"""What some of the planted differences need."""

UNCHECKED = "SET check_function_bodies = off"


def described(url: str, config: Path | None = None) -> BootDescription:
    description = load_settings({"DATABASE_URL": url}, Path("/nonexistent")).description()
    return replace(description, alembic_config=config) if config else description


@pytest.mark.parametrize("planted", PLANTED, ids=[planted.line for planted in PLANTED])
def test_a_planted_difference_is_named(
    tmp_path: Path,
    cluster: Cluster,
    database: str,
    caplog: pytest.LogCaptureFixture,
    planted: Planted,
) -> None:
    """Of every kind that the comparison knows: it has its line, and nothing is recorded."""
    foreign = ForeignProject(tmp_path / "foreign")
    made = [UNCHECKED, SERVERS, planted.common, planted.expected, "CREATE TABLE its_own (id int)"]
    body = "\n".join(f"op.get_bind().exec_driver_sql({it!r})" for it in made if it)
    foreign.revision("a1", None, body)
    for statement in [SERVERS, planted.common, planted.found, "CREATE TABLE its_own (id int)"]:
        if statement:
            cluster.execute(f"{UNCHECKED}; {statement}", database)
    # Foreign data wrappers are a superuser's.
    boot = described(cluster.url(database, user=SUPERUSER), foreign.config)
    with pytest.raises(SchemaUnmanagedError) as caught:
        adopt(boot)
    lines = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert lines == planted.line.splitlines()
    assert re.match(r"The schema is that of no revision; a1 .* is nearest", str(caught.value))
    query = "SELECT to_regclass('alembic_version') IS NULL, to_regclass('schema_journal') IS NULL"
    assert cluster.query(query, database) == [(True, True)]


OURS = {
    "ALTER TABLE users ADD nickname text": "column users.nickname is unexpected",
    "ALTER TABLE users DROP oauth_id": "column users.oauth_id is missing",
    "ALTER TABLE users ALTER email TYPE varchar(99)": "users.email: type is character varying(99)",
    "ALTER TABLE users ALTER email DROP NOT NULL": "users.email: nullability is NULL",
    "ALTER TABLE pages ALTER sequence SET DEFAULT 7": "pages.sequence: default is 7",
    "ALTER TABLE books RENAME theme TO topic": "column books.theme is missing",
    "DROP INDEX ix_voices_user_id": "index ix_voices_user_id is missing",
    "CREATE INDEX extra ON books (title)": "index extra is unexpected",
    "CREATE TABLE more (id int)": "table more is unexpected",
    "CREATE VIEW titles AS SELECT title FROM books": "view titles is unexpected",
    "CREATE TYPE mood AS ENUM ('good')": "enum mood is unexpected",
    "ALTER TYPE voice_status ADD VALUE 'lost'": "enum voice_status: labels are",
    "ALTER TABLE dialogues ADD CONSTRAINT positive CHECK (sequence > 0)": (
        "constraint positive on dialogues is unexpected"
    ),
    "ALTER TABLE voices DROP CONSTRAINT uq_voices_provider_voice_id": (
        "constraint uq_voices_provider_voice_id on voices is missing"
    ),
    "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'": "function one() is unexpected",
}
"""Statements on our schema at 005, none of which hinders another, and how its line begins."""


class Beside:
    """A transaction in an unmanaged database at 005, and what each revision makes."""

    def __init__(self, connection: Connection, history: dict[str, Catalogue]) -> None:
        self._connection = connection
        self._history = history

    def likenesses(self, statements: list[str]) -> Likenesses:
        """Compare the database as these statements make it; they are rolled back."""
        try:
            for statement in statements:
                self._connection.cursor().execute(statement)
            found = read_catalogue(self._connection, IGNORED_TABLES | {"alembic_version"})
        finally:
            self._connection.rollback()
        return liken(found, self._history)


@pytest.fixture(scope="module")
def beside(cluster: Cluster) -> Iterator[Beside]:
    """Give our schema at 005, and our history."""
    with cluster.database() as name, cluster.database() as scratch:
        boot = described(cluster.url(name))
        migrate(replace(boot, schema=replace(boot.schema, target="005")))
        url = parse_database_url(cluster.url(scratch))
        history = dict(revisions_made(open_scratch(url, open_project(boot.alembic_config, url))))
        with closing(cluster.connect(name)) as connection:
            connection.autocommit = False
            yield Beside(connection, history)


@settings(deadline=None, max_examples=40)
@given(statements=st.lists(st.sampled_from(sorted(OURS)), unique=True))
def test_whatever_is_planted_is_named(beside: Beside, statements: list[str]) -> None:
    """However many and in whatever order; where nothing is planted, 005 alone is equal."""
    found = beside.likenesses(statements)
    assert found.equal == (() if statements else ("005",))
    like = found.of("005")
    assert like is not None
    lines = [str(difference) for difference in like.differences]
    for statement in statements:
        assert [line for line in lines if line.startswith(OURS[statement])], (statement, lines)
