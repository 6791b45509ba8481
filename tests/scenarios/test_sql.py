"""`inv migrate --sql`: a script that does what `inv migrate` would, or why there is none."""

from contextlib import closing
from pathlib import Path

import pytest

from alembic_boot.adoption.comparison import compare
from alembic_boot.sql.pieces import parts
from tests.cluster import Cluster
from tests.history import HEAD, OURS
from tests.migrations.migrated import read_schema
from tests.scenarios.process import (
    FOREIGN_ENV,
    Finished,
    assert_untouched,
    matches,
    project,
    relations,
    revisions,
    run,
)
from tests.scenarios.test_foreign_project import Foreign, foreign

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
    return "\n".join(finished.stdout)


def assert_refused(finished: Finished, status: int, sentence: str) -> None:
    """Fail unless it ended with this status and sentence, and printed nothing for psql."""
    assert (finished.status, finished.stdout) == (status, ()), finished
    assert matches(finished.stderr[-1], sentence), finished.stderr[-1]


def execute(cluster: Cluster, database: str, text: str) -> None:
    """Run a script as the owner in one session, statement by statement as psql does."""
    with closing(cluster.connect(database)) as connection:
        cursor = connection.cursor()
        cursor.execute("SET ROLE moriai_user")
        for statement in parts(text):
            cursor.execute(text[statement[0].start : statement[-1].end])


@pytest.mark.parametrize("place", HISTORY)
def test_from_everywhere(tmp_path: Path, any_cluster: Cluster, place: str) -> None:
    """From each place of our history the script leads to the same schema as migrating does."""
    root = project(tmp_path)
    with any_cluster.database() as by_hand, any_cluster.database() as migrated:
        url = any_cluster.url(by_hand)
        if place != "base":
            run(root, "migrate", "--target", place, DATABASE_URL=url).assert_ok()
        before = read_schema(any_cluster, by_hand)
        text = script(run(root, "migrate", "--sql", DATABASE_URL=url))
        assert compare(read_schema(any_cluster, by_hand), before) == ()
        assert [line.split()[-1] for line in text.splitlines() if "-- Running" in line] == (
            HISTORY[HISTORY.index(place) + 1 :]
        )
        execute(any_cluster, by_hand, text)
        run(root, "migrate", DATABASE_URL=any_cluster.url(migrated)).assert_ok()
        assert compare(read_schema(any_cluster, by_hand), read_schema(any_cluster, migrated)) == ()
        assert revisions(any_cluster, by_hand) == [HEAD]
        run(root, "migrate", DATABASE_URL=url).assert_says("…(already up to date)")


def test_to_a_target(tmp_path: Path, cluster: Cluster, database: str, database_url: str) -> None:
    """The target is obeyed, and one that is reached leaves nothing to run."""
    root = project(tmp_path)
    text = script(run(root, "migrate", "--sql", "--target", "003", DATABASE_URL=database_url))
    assert_untouched(cluster, database)
    execute(cluster, database, text)
    assert revisions(cluster, database) == ["003"]
    nothing = run(root, "migrate", "--sql", "--target", "003", DATABASE_URL=database_url)
    assert nothing.stdout == ("-- The schema is current at 003: there is nothing to run.",)


def test_rolled_back_to_base(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """An empty version table that is there already is no obstacle; going down renders as well."""
    root = project(tmp_path)
    run(root, "migrate", DATABASE_URL=database_url).assert_ok()
    down = {"MIGRATION_ROLLBACK": "true", "MIGRATION_TARGET": "base"}
    text = script(run(root, "migrate", "--sql", DATABASE_URL=database_url, **down))
    execute(cluster, database, text)
    assert relations(cluster, database) == ["alembic_version"]
    execute(cluster, database, script(run(root, "migrate", "--sql", DATABASE_URL=database_url)))
    assert revisions(cluster, database) == [HEAD]


def test_a_database_that_is_missing(tmp_path: Path, cluster: Cluster) -> None:
    """It would be made, so the script begins at the beginning; it is not made."""
    url = cluster.url("not_there_yet")
    text = script(run(project(tmp_path), "migrate", "--sql", DATABASE_URL=url))
    assert "-- Running upgrade  -> 001" in text
    assert cluster.query("SELECT 1 FROM pg_database WHERE datname = 'not_there_yet'") == []


def test_refusals_are_the_same(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """What `migrate` refuses is not rendered either."""
    root = project(tmp_path)
    cluster.execute("CREATE TABLE t (i integer)", database)
    finished = run(root, "migrate", "--sql", DATABASE_URL=database_url)
    assert_refused(finished, 8, "The database has tables (t) but no revision recorded. …")


def test_both_previews(tmp_path: Path, database_url: str) -> None:
    """State and plan are not SQL: one of the two has to be chosen."""
    finished = run(project(tmp_path), "migrate", "--sql", "--dry-run", DATABASE_URL=database_url)
    finished.assert_failed(2, "--dry-run and --sql print different things. Use one of them.")


@pytest.mark.parametrize("env", [FOREIGN_ENV, OFFLINE_ENV], ids=["online only", "both"])
def test_foreign_histories(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str, env: str
) -> None:
    """Branches, a merge and values, whether env.py knows offline mode or not."""
    theirs = foreign(tmp_path, database_url, env=env)
    theirs.project.revision("a1")
    theirs.project.revision("b1", "a1")
    theirs.project.revision(
        "b2",
        "a1",
        """
        t = op.create_table("t_b2", sa.Column("text", sa.Text))
        op.bulk_insert(t, [{"text": "it's 100 %"}])
        if not op.get_context().as_sql:
            raise RuntimeError("this part is for those who have a database")
        """,
    )
    theirs.project.revision("c1", ("b1", "b2"))
    theirs.inv("migrate", "--target", "b1").assert_ok()
    finished = theirs.inv("migrate", "--sql")
    assert relations(cluster, database) == ["alembic_version", "t_a1", "t_b1"]
    execute(cluster, database, script(finished))
    assert revisions(cluster, database) == ["c1"]
    assert cluster.query("SELECT text FROM t_b2", database) == [("it's 100 %",)]


def test_autocommit_block(tmp_path: Path, database_url: str) -> None:
    """What must be outside of a transaction is."""
    theirs = foreign(tmp_path, database_url)
    theirs.project.revision(
        "a1",
        None,
        """
        op.create_table("t", sa.Column("i", sa.Integer))
        with op.get_context().autocommit_block():
            op.execute("CREATE INDEX CONCURRENTLY ix ON t (i)")
        """,
    )
    lines = [line for line in theirs.inv("migrate", "--sql").stdout if line]
    where = lines.index("CREATE INDEX CONCURRENTLY ix ON t (i);")
    assert (lines[where - 1], lines[where + 1]) == ("COMMIT;", "BEGIN;")


UNRENDERABLE = {
    "a scalar": 'n = op.get_bind().execute(sa.text("SELECT 1")).scalar()',
    "rows": 'for row in op.get_bind().execute(sa.text("SELECT 1")): print(row)',
    "an inspector": "sa.inspect(op.get_bind()).get_table_names()",
    "a stranger": 'raise RuntimeError("not like this")',
}


@pytest.mark.parametrize("upgrade", UNRENDERABLE.values(), ids=UNRENDERABLE.keys())
def test_what_cannot_be_rendered(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str, upgrade: str
) -> None:
    """A revision that needs a database is said by name, and no half of a script is printed."""
    theirs: Foreign = foreign(tmp_path, database_url)
    theirs.project.revision("a1")
    theirs.project.revision("b2", "a1", upgrade)
    finished = theirs.inv("migrate", "--sql")
    assert_refused(
        finished,
        5,
        "Migration b2 Foreign b2 cannot be rendered as SQL: b2_test.py, line …: …. It needs a "
        "database to run on, which `inv migrate` gives it. Nothing was changed.",
    )
    assert_untouched(cluster, database)
