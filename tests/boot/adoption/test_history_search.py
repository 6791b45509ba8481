"""Only points that may be equal are read in full; the answer is that of reading all."""

from collections.abc import Iterator

import pytest

from alembic_boot.adoption.history_replay import Replay
from alembic_boot.adoption.history_search import search_history
from alembic_boot.adoption.schema_matching import (
    Matches,
    equal_points,
    match_schema,
    nearest_points,
)
from alembic_boot.adoption.schema_selection import read_beside
from alembic_boot.environment.opening import open_project
from alembic_boot.environment.version_table import VersionTable
from alembic_boot.state.schema import open_schema
from tests.boot.adoption.unmanaged import Theirs, replayed
from tests.cluster import Cluster

pytestmark = pytest.mark.slow

HISTORY = {
    "a": "CREATE TABLE t (id int, n int DEFAULT 1, s text, CONSTRAINT k CHECK (n > 0))",
    "b": "ALTER TABLE t ALTER n SET DEFAULT 2",
    "c": "UPDATE t SET n = 1",
    "d": "CREATE TABLE u (id int); CREATE VIEW v AS SELECT id FROM u",
    "e": "CREATE OR REPLACE VIEW v AS SELECT id FROM u WHERE id > 0",
    "f": "CREATE INDEX i ON t (n); CREATE SCHEMA app; CREATE TABLE app.x (id int)",
    "g": "DROP INDEX i; ALTER TABLE t ALTER n SET DEFAULT 3, DROP CONSTRAINT k,"
    " ADD CONSTRAINT k CHECK (n > 1)",
}


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[Theirs]:
    """Give a project with expressions, data and another schema, beside an empty database."""
    with cluster.database() as database:
        theirs = Theirs(tmp_path_factory.mktemp("matching"), cluster, database)
        parent = None
        for revision, statement in HISTORY.items():
            theirs.project.revision(revision, parent, f"op.execute({statement!r})")
            parent = revision
        yield theirs


@pytest.fixture(scope="module")
def whole(history: Theirs, cluster: Cluster) -> Replay:
    """Give the replay of the history in which every point is read in full."""
    return replayed(cluster, history.project.config)


def up_to(revision: str) -> str:
    """Return what makes the schema of a revision."""
    names = list(HISTORY)
    return "; ".join(HISTORY[name] for name in names[: names.index(revision) + 1])


def matched(
    theirs: Theirs, cluster: Cluster, whole: Replay, statements: str, wanted: str | None = None
) -> tuple[Matches, Matches]:
    """Return how like a database is to the history, and the same by reading all."""
    with cluster.database() as database:
        theirs.database = database
        theirs.execute(statements)
        boot = theirs.boot
        url = boot.migration_database_url
        schema = open_schema(url, open_project(boot.alembic_config, url), boot.schema)
        found = search_history(boot, schema, wanted, "Here")
        connection = cluster.connect(database)
        everything = read_beside(connection, VersionTable(), whole.other_schemas)
        connection.close()
    return found, match_schema(everything, whole.points)


DATABASES = {
    "equal to one": (up_to("d"), 2),
    "equal to two": (up_to("c"), 3),
    "one expression is another": (f"{up_to('e')}; ALTER TABLE t ALTER n SET DEFAULT 9", 7),
    "two expressions are others": (
        f"{up_to('e')}; ALTER TABLE t ALTER n SET DEFAULT 9, ALTER s SET DEFAULT 'x'",
        7,
    ),
    "an index more": (f"{up_to('e')}; CREATE INDEX j ON t (s)", 7),
    "a table less": (f"{up_to('g')}; DROP TABLE app.x", 7),
    "much more": (f"{up_to('b')}; CREATE TABLE w (a int, b int, c int)", 7),
    "between two": (f"{up_to('f')}; ALTER TABLE t ALTER n SET DEFAULT 3; DROP INDEX i", 7),
    "a column that is not counted": (
        f"{up_to('b')}; ALTER TABLE t ADD gone int; ALTER TABLE t DROP gone",
        3,
    ),
    "nothing of it": ("CREATE TABLE w (a int)", 7),
}


@pytest.mark.parametrize(("statements", "most"), DATABASES.values(), ids=DATABASES)
def test_the_answer_is_that_of_reading_all(
    history: Theirs, whole: Replay, cluster: Cluster, statements: str, most: int
) -> None:
    """The same points are equal, or the same are nearest with the same differences."""
    found, expected = matched(history, cluster, whole, statements)
    assert equal_points(found) == equal_points(expected)
    assert len(found) <= most
    if not equal_points(expected):
        nearest = nearest_points(found)
        assert nearest == nearest_points(expected)
        assert [found[it] for it in nearest] == [expected[it] for it in nearest]


def test_a_wanted_revision_is_read(history: Theirs, whole: Replay, cluster: Cluster) -> None:
    """Its differences are listed, also if another revision is equal."""
    found, expected = matched(history, cluster, whole, up_to("d"), "a")
    assert equal_points(found) == [("d",)]
    assert found["a",] == expected["a",]
