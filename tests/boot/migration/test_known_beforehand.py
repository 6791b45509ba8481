"""What can be known before a revision runs is refused before it runs."""

from pathlib import Path

import pytest

from alembic_boot.errors import BootError, HistoryBrokenError, MigrationFailedError
from tests.boot.adoption.unmanaged import Theirs
from tests.cluster import OWNER, Cluster

pytestmark = pytest.mark.slow

COMMITS = """
with op.get_context().autocommit_block():
    op.execute("CREATE TABLE touched ()")
"""


@pytest.fixture
def theirs(tmp_path: Path, cluster: Cluster, database: str) -> Theirs:
    """Give a database at its first revision, with a second that commits at once."""
    made = Theirs(tmp_path, cluster, database)
    made.project.revision("a1", None, "pass", "pass")
    made.migrate()
    made.project.revision("b2", "a1", COMMITS, "pass")
    return made


def refusal(theirs: Theirs, kind: type[BootError]) -> str:
    """Return why nothing was run."""
    with pytest.raises(kind) as caught:
        theirs.migrate()
    assert theirs.query("SELECT to_regclass('touched')") == [(None,)]
    return str(caught.value)


OBSTACLES = {
    "REVOKE ALL ON alembic_version FROM {owner}; GRANT SELECT ON alembic_version TO {owner}": (
        f'The role {OWNER} may not write "public"."alembic_version", where each revision is '
        f'recorded. Say `GRANT SELECT, INSERT, UPDATE, DELETE ON "public"."alembic_version" TO '
        f"\"{OWNER}\"` as the table's owner, or set MIGRATION_DATABASE_URL to the schema's owner. "
        "Nothing was changed."
    ),
    "REVOKE ALL ON schema_journal FROM {owner}; "
    "GRANT SELECT, INSERT ON schema_journal TO {owner}": (
        f'The role {OWNER} may not write "public"."schema_journal", where each revision is '
        f'recorded. Say `GRANT SELECT, INSERT, UPDATE, DELETE ON "public"."schema_journal" TO '
        f"\"{OWNER}\"` as the table's owner, or set MIGRATION_DATABASE_URL to the schema's owner. "
        "Nothing was changed."
    ),
    "ALTER DATABASE {database} SET default_transaction_read_only = on": (
        "The database takes no writes from this session: transactions are read-only. Connect to "
        "the primary, or set default_transaction_read_only to off for the role and the database. "
        "Nothing was changed."
    ),
    "ALTER TABLE alembic_version RENAME TO versions; "
    "CREATE VIEW alembic_version AS SELECT DISTINCT version_num FROM versions; "
    "GRANT ALL ON alembic_version TO {owner}": (
        '"public"."alembic_version" cannot be written: it is no table. Rename it, or let env.py '
        "name another version_table. Nothing was changed."
    ),
    "ALTER TABLE alembic_version RENAME version_num TO number": (
        '"public"."alembic_version" should hold the revision, but has no column '
        "version_num. Rename it, or let env.py name another version_table. Nothing was changed."
    ),
    "DROP TABLE schema_journal; CREATE TYPE schema_journal AS ENUM ()": (
        '"public"."schema_journal" has the name of the journal, but is another object. Rename '
        "it. Nothing was changed."
    ),
}


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_a_database_that_cannot_record_it(theirs: Theirs, obstacle: str) -> None:
    """Its version and its row of the journal are written when it has run."""
    theirs.cluster.execute(obstacle.format(owner=OWNER, database=theirs.database), theirs.database)
    assert refusal(theirs, MigrationFailedError) == OBSTACLES[obstacle]


def test_a_role_that_may_do_just_enough(theirs: Theirs) -> None:
    """A history of one line only ever updates the row that there is."""
    theirs.cluster.execute(
        f"REVOKE ALL ON alembic_version FROM {OWNER}; "
        f"GRANT SELECT, UPDATE ON alembic_version TO {OWNER}",
        theirs.database,
    )
    theirs.migrate()
    assert theirs.revisions() == ["b2"]


@pytest.mark.parametrize("source", ["", "upgrade = None", "def downgrade(): ..."])
def test_a_revision_without_upgrade(theirs: Theirs, source: str) -> None:
    """Somewhere further on: those before it do not run either."""
    (theirs.project.versions / "c3.py").write_text(
        f"revision = 'c3'\ndown_revision = 'b2'\n{source}\n"
    )
    assert "c3.py has no upgrade()" in refusal(theirs, HistoryBrokenError)


@pytest.mark.parametrize("id_", ["", "head", "heads", "it's", "nul\0"])
def test_an_id_that_cannot_be_recorded(theirs: Theirs, id_: str) -> None:
    """Alembic writes it into its SQL as it is, or takes it for another revision."""
    (theirs.project.versions / "c3.py").write_text(
        f"revision = {id_!r}\ndown_revision = 'b2'\ndef upgrade(): ...\n"
    )
    assert f"the id {id_!r} in c3.py is none that Alembic can record" in refusal(
        theirs, HistoryBrokenError
    )


def test_any_other_id(theirs: Theirs) -> None:
    """Any other text is an id: spaces, quotes of the other kind, signs of the driver's."""
    id_ = 'two words, "quoted", 100 %'
    (theirs.project.versions / "c3.py").write_text(
        f"revision = {id_!r}\ndown_revision = 'b2'\ndef upgrade(): ...\n"
    )
    theirs.migrate()
    assert theirs.revisions() == [id_]
