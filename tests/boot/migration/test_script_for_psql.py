"""The script of `inv migrate --sql` does what `inv migrate` would, or there is none."""

from contextlib import closing
from pathlib import Path

import pytest

from alembic_boot.adoption.comparison import compare
from alembic_boot.sql.pieces import parts
from tests.boot.in_process import migrating, rendering, run_in, theirs
from tests.cluster import Cluster
from tests.history import HEAD, OURS
from tests.migrations.migrated import read_schema
from tests.scenarios.process import (
    FOREIGN_ENV,
    Finished,
    matches,
    project,
    relations,
    revisions,
)

pytestmark = pytest.mark.slow


HISTORY = ["base", *OURS]


OFFLINE_ENV = (
    """
from alembic import context

if context.is_offline_mode():
    context.configure(url=context.config.get_main_option("sqlalchemy.url"), literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
    raise SystemExit
"""
    + FOREIGN_ENV
)


def script(finished: Finished) -> str:
    assert finished.status == 0, finished
    return finished.printed


def assert_refused(finished: Finished, status: int, sentence: str) -> None:
    """Fail unless it ended with this status and sentence, and printed nothing for psql."""
    assert (finished.status, finished.printed) == (status, ""), finished
    assert matches(finished.stderr[-1], sentence), finished.stderr[-1]


def execute(cluster: Cluster, database: str, text: str) -> None:
    """Run a script as the owner in one session, statement by statement as psql does."""
    with closing(cluster.connect(database)) as connection:
        cursor = connection.cursor()
        cursor.execute("SET ROLE moriai_user")
        for statement in parts(text):
            cursor.execute(text[statement[0].start : statement[-1].end])


@pytest.mark.parametrize("place", HISTORY)
def test_from_everywhere(tmp_path: Path, cluster: Cluster, place: str) -> None:
    """From each place of our history the script leads to the same schema as migrating does."""
    root = project(tmp_path)
    with cluster.database() as by_hand, cluster.database() as migrated:
        url = cluster.url(by_hand)
        if place != "base":
            run_in(root, migrating, MIGRATION_TARGET=place, DATABASE_URL=url).assert_ok()
        before = read_schema(cluster, by_hand)
        text = script(run_in(root, rendering, DATABASE_URL=url))
        assert compare(read_schema(cluster, by_hand), before) == ()
        assert [line.split()[-1] for line in text.splitlines() if "-- Running" in line] == (
            HISTORY[HISTORY.index(place) + 1 :]
        )
        execute(cluster, by_hand, text)
        run_in(root, migrating, DATABASE_URL=cluster.url(migrated)).assert_ok()
        assert compare(read_schema(cluster, by_hand), read_schema(cluster, migrated)) == ()
        assert revisions(cluster, by_hand) == [HEAD]
        run_in(root, migrating, DATABASE_URL=url).assert_says("…(already up to date)")


def test_rolled_back_to_base(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """An empty version table that is there already is no obstacle; going down renders as well."""
    root = project(tmp_path)
    run_in(root, migrating, DATABASE_URL=database_url).assert_ok()
    down = {"MIGRATION_ROLLBACK": "true", "MIGRATION_TARGET": "base"}
    text = script(run_in(root, rendering, DATABASE_URL=database_url, **down))
    execute(cluster, database, text)
    assert relations(cluster, database) == ["alembic_version"]
    execute(cluster, database, script(run_in(root, rendering, DATABASE_URL=database_url)))
    assert revisions(cluster, database) == [HEAD]


def test_a_database_that_is_missing(tmp_path: Path, cluster: Cluster) -> None:
    """It would be made, so the script begins at the beginning; it is not made."""
    url = cluster.url("not_there_yet")
    text = script(run_in(project(tmp_path), rendering, DATABASE_URL=url))
    assert "-- Running upgrade  -> 001" in text
    assert cluster.query("SELECT 1 FROM pg_database WHERE datname = 'not_there_yet'") == []


def test_refusals_are_the_same(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """What `migrate` refuses is not rendered either."""
    root = project(tmp_path)
    cluster.execute("CREATE TABLE t (i integer)", database)
    finished = run_in(root, rendering, DATABASE_URL=database_url)
    assert_refused(finished, 8, "The database has tables (t) but no revision recorded. …")


@pytest.mark.parametrize("env", [FOREIGN_ENV, OFFLINE_ENV], ids=["online only", "both"])
def test_foreign_histories(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str, env: str
) -> None:
    """Branches, a merge and values, whether env.py knows offline mode or not."""
    project = theirs(tmp_path, database_url, env=env)
    project.project.revision("a1")
    project.project.revision("b1", "a1")
    project.project.revision(
        "b2",
        "a1",
        """
        t = op.create_table("t_b2", sa.Column("text", sa.Text))
        op.bulk_insert(t, [{"text": "it's 100 %"}])
        if not op.get_context().as_sql:
            raise RuntimeError("this part is for those who have a database")
        """,
    )
    project.project.revision("c1", ("b1", "b2"))
    project.migrate(MIGRATION_TARGET="b1").assert_ok()
    finished = project.run(rendering)
    assert relations(cluster, database) == ["alembic_version", "t_a1", "t_b1"]
    execute(cluster, database, script(finished))
    assert revisions(cluster, database) == ["c1"]
    assert cluster.query("SELECT text FROM t_b2", database) == [("it's 100 %",)]
