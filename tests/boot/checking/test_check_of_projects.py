"""`inv check` and `inv revision` on somebody else's project, which has its own mistakes."""

from pathlib import Path

import pytest

from alembic_boot.checking.new_revision import write_revision
from alembic_boot.description import BootDescription
from alembic_boot.waiting import wait
from tests.boot.in_process import Task, checking, migrating, run
from tests.cluster import Cluster
from tests.scenarios.process import (
    FOREIGN_ENV,
    Finished,
    ForeignProject,
    assert_untouched,
)

pytestmark = pytest.mark.slow

MODELS = FOREIGN_ENV.replace(
    "target_metadata=None", "target_metadata=__import__('sqlalchemy').MetaData()"
)
NO_MODELS = "env.py names no target_metadata: there are no models to compare with"


def revising(boot: BootDescription) -> str:
    """Do what `inv revision --message more` does."""
    wait(boot)
    return str(write_revision(boot, "more"))


TABLE = """
import sqlalchemy as sa
metadata = sa.MetaData()
sa.Table("t", metadata, sa.Column("id", sa.BigInteger), sa.Column("name", sa.Text))
"""
MODELS_OF_TABLE = FOREIGN_ENV.replace("target_metadata=None", "target_metadata=metadata")
DROP = "op.execute('DROP TABLE t')"


def run_on(theirs: ForeignProject, task: Task, url: str) -> Finished:
    return run(task, DATABASE_URL=url, ALEMBIC_CONFIG=str(theirs.config))


@pytest.mark.parametrize("task", [checking, revising])
def test_an_env_py_that_does_not_run(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str, task: Task
) -> None:
    """One sentence says why, as for every other task."""
    theirs = ForeignProject(tmp_path / "theirs", env=f"import nowhere\n{FOREIGN_ENV}")
    theirs.revision("a1")
    finished = run_on(theirs, task, database_url)
    finished.assert_failed(
        2,
        "env.py, line 1 needs the package nowhere, which is not installed in this environment. …",
    )
    assert_untouched(cluster, database)


@pytest.mark.parametrize("downgrade", ["op.drop_table('t')", "pass"])
def test_the_first_revision_leaves_something_behind(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str, downgrade: str
) -> None:
    """It is said of that revision, as of any other, and nothing of the real database."""
    theirs = ForeignProject(tmp_path / "theirs")
    theirs.revision("a1", None, "op.execute('CREATE TABLE t (); CREATE TABLE t2 ()')", downgrade)
    finished = run_on(theirs, checking, database_url)
    finished.assert_says("…a1 leaves behind on its way down: table t2 is unexpected")
    finished.assert_failed(9, "The history fails … checks. Fix the revisions, or the models, …")
    assert_untouched(cluster, database)


def test_what_is_left_behind_in_another_schema(tmp_path: Path, database_url: str) -> None:
    """A schema outside of the search_path counts like any other; the objects tell which it is."""
    theirs = ForeignProject(tmp_path / "theirs")
    theirs.revision("a1", None, "op.execute('CREATE SCHEMA app')", "op.execute('DROP SCHEMA app')")
    theirs.revision("b2", "a1", "op.execute('CREATE TABLE app.t (id int, n int)')", "pass")
    finished = run_on(theirs, checking, database_url)
    finished.assert_says("…b2 leaves behind on its way down: table app.t is unexpected")


def test_no_models_to_write_a_revision_from(tmp_path: Path, database_url: str) -> None:
    """It is said in the words of `inv check`, and what to do."""
    theirs = ForeignProject(tmp_path / "theirs")
    theirs.revision("a1")
    finished = run_on(theirs, revising, database_url)
    finished.assert_failed(2, f"{NO_MODELS}. Pass that of the models to context.configure(), …")
    assert len(list(theirs.versions.glob("*.py"))) == 1


def test_no_models_to_check(tmp_path: Path, database_url: str) -> None:
    """The rest is checked."""
    theirs = ForeignProject(tmp_path / "theirs")
    theirs.revision("a1")
    finished = run_on(theirs, checking, database_url)
    finished.assert_ok()
    finished.assert_says(f"…{NO_MODELS}")


def test_no_phase_to_decide(tmp_path: Path, database_url: str) -> None:
    """A new revision's phase is named only if the history has phases."""
    for constants, advice in (
        ("", "…: read it."),
        ('phase = "expand"', "…: read it, and decide …"),
    ):
        theirs = ForeignProject(tmp_path / f"theirs{bool(constants)}", env=TABLE + MODELS_OF_TABLE)
        (theirs.folder / "scripts" / "script.py.mako").write_text(
            "revision, down_revision = ${repr(up_revision)}, ${repr(down_revision)}\n"
        )
        theirs.revision("a1", None, "pass", "pass", constants=constants)
        finished = run_on(theirs, revising, database_url)
        finished.assert_ok()
        finished.assert_says(advice)


def test_what_only_the_migrations_have(tmp_path: Path, database_url: str) -> None:
    """The check says which side has the column, and both ways out."""
    theirs = ForeignProject(tmp_path / "theirs", env=TABLE + MODELS_OF_TABLE)
    theirs.revision("a1", None, "op.execute('CREATE TABLE t (id int, discount int)')", DROP)
    finished = run_on(theirs, checking, database_url)
    differ = "the models and the migrations differ: column"
    write = "write a revision with op."
    finished.assert_says(
        f"…{differ} t.discount is in the migrations and not in the models; add it to the models, "
        f"or {write}drop_column('t', 'discount')"
    )
    finished.assert_says(
        f"…{differ} t.name is in the models and not in the migrations; {write}add_column('t', …), "
        "or remove it from the models"
    )
    finished.assert_says(
        f"…{differ} t.id is BIGINT in the models and INTEGER in the migrations; change the models, "
        f"or {write}alter_column('t', 'id', …)"
    )


def test_what_a_revision_is_written_from(tmp_path: Path, database_url: str) -> None:
    """The replay is said to be one: not a word as of the real database."""
    theirs = ForeignProject(tmp_path / "theirs", env=MODELS)
    (theirs.folder / "scripts" / "script.py.mako").write_text(
        "revision, down_revision = ${repr(up_revision)}, ${repr(down_revision)}\n"
    )
    theirs.revision("a1")
    finished = run_on(theirs, revising, database_url)
    finished.assert_ok()
    finished.assert_says("Replaying the history on a scratch database")
    assert not [line for line in finished.stdout if "Applied" in line]


def test_a_new_revision_on_a_history_that_fails(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """It is not said where the scratch database is: people would look for it in their own."""
    theirs = ForeignProject(tmp_path / "theirs", env=MODELS)
    theirs.revision("a1")
    theirs.revision("b2", "a1", "op.execute('SELECT 1 / 0')")
    finished = run_on(theirs, revising, database_url)
    finished.assert_failed(
        5,
        "Migration b2 Foreign b2 failed: b2_test.py, …division by zero. Fix the revision and start "
        "again. Nothing was changed.",
    )
    assert_untouched(cluster, database)


ENUMS = """
import sqlalchemy as sa
metadata = sa.MetaData()
status = sa.Enum("draft", "it's", "new", "done", name="Status")
sa.Table("t", metadata, sa.Column("status", status, server_default="new"))
"""


def test_a_new_label_of_an_enum(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """The revision adds it, although Alembic compares no labels; other statements may use it."""
    models = FOREIGN_ENV.replace("target_metadata=None", "target_metadata=metadata")
    models = models.replace("target_metadata=", "compare_server_default=True, target_metadata=")
    theirs = ForeignProject(tmp_path / "theirs", env=ENUMS + models)
    (theirs.folder / "scripts" / "script.py.mako").write_text(
        "from alembic import op\nimport sqlalchemy as sa\n${imports or ''}\n"
        "revision, down_revision = ${repr(up_revision)}, ${repr(down_revision)}\n"
        "def upgrade():\n    ${upgrades}\n\ndef downgrade():\n    ${downgrades}\n"
    )
    theirs.revision(
        "a1",
        None,
        "op.execute(\"CREATE TYPE \\\"Status\\\" AS ENUM ('draft', 'it''s')\")\n"
        "op.execute('CREATE TABLE t (status \"Status\")')",
        "op.execute('DROP TABLE t')\nop.execute('DROP TYPE \"Status\"')",
    )
    finished = run_on(theirs, revising, database_url)
    finished.assert_ok()
    finished.assert_says("Label 'new' of enum Status is new: the revision adds it …")
    run_on(theirs, migrating, database_url).assert_ok()
    assert cluster.query('SELECT enum_range(NULL::"Status")::text', database) == [
        ("{draft,it's,new,done}",)
    ]
    run_on(theirs, checking, database_url).assert_never_says("…is in the models and not…")
