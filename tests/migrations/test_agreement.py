"""The models and the history describe one and the same schema."""

from alembic import command

from alembic_boot.adoption.comparison import compare
from backend.models import Base
from tests.cluster import Cluster
from tests.migrations.migrated import Migrated, read_schema
from tests.migrations.project import engine_for, revisions


def test_alembic_finds_no_difference(migrated: Migrated) -> None:
    """Alembic's own comparison has nothing to generate, nor to drop: the journal is left alone."""
    migrated.upgrade("head")
    assert migrated.rows("SELECT count(*) FROM schema_journal") == [(len(revisions()),)]
    command.check(migrated.config)


def test_the_catalogues_are_equal(any_cluster: Cluster, migrated: Migrated) -> None:
    """PostgreSQL describes both alike: names of constraints and labels of enums included."""
    migrated.upgrade("head")
    with any_cluster.database() as by_models:
        Base.metadata.create_all(engine_for(any_cluster.url(by_models)))
        found = read_schema(any_cluster, by_models)
    assert compare(found, read_schema(any_cluster, migrated.database)) == ()
    kinds = {key.kind for key in found}
    assert kinds >= {"table", "column", "constraint", "index", "enum"}


def test_enum_labels_are_lower_case_and_in_order(migrated: Migrated) -> None:
    """The labels are the ones that are agreed on."""
    migrated.upgrade("head")
    query = """
        SELECT typname::text, array_agg(enumlabel::text ORDER BY enumsortorder)
        FROM pg_type JOIN pg_enum ON enumtypid = pg_type.oid GROUP BY typname ORDER BY typname
    """
    assert migrated.rows(query) == [
        ("book_status", ["creating", "completed", "failed", "draft"]),
        ("visibility", ["private", "public", "default"]),
        ("voice_status", ["processing", "completed", "failed"]),
    ]
