"""The models and the history describe one and the same schema."""

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from backend.models import Base
from tests.cluster import Cluster
from tests.migrations.catalogue import catalogue
from tests.migrations.conftest import Migrated
from tests.migrations.project import engine_for


def test_alembic_finds_no_difference(migrated: Migrated) -> None:
    """Alembic's own comparison has nothing to generate: types and defaults included."""
    migrated.upgrade("head")
    with migrated.engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []


def test_the_catalogues_are_equal(any_cluster: Cluster, migrated: Migrated) -> None:
    """PostgreSQL describes both alike: names of constraints and labels of enums included."""
    migrated.upgrade("head")
    with any_cluster.database() as name:
        engine = engine_for(any_cluster.url(name))
        with engine.begin() as connection:
            Base.metadata.create_all(connection)
            by_models = catalogue(connection)
    with migrated.engine.connect() as connection:
        assert by_models == catalogue(connection)


def test_enum_labels_are_lower_case_and_in_order(migrated: Migrated) -> None:
    """The labels are the ones that are agreed on."""
    migrated.upgrade("head")
    with migrated.engine.connect() as connection:
        assert [line for line in catalogue(connection) if line.startswith("enum")] == [
            "enum book_status: creating, completed, failed, draft",
            "enum visibility: private, public, default",
            "enum voice_status: processing, completed, failed",
        ]


def test_the_journal_is_not_a_difference(migrated: Migrated) -> None:
    """A journal beside the tables is neither compared nor dropped by a generated revision."""
    migrated.upgrade("head")
    migrated.execute("CREATE TABLE schema_journal (revision text)")
    command.check(migrated.config)
