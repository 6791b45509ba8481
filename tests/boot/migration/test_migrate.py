"""What a start says of a schema is asked of the files and of the database, each time."""

from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from alembic_boot.description import AlembicConfig, BootDescription
from alembic_boot.errors import ConfigurationError
from alembic_boot.migration.migrate import migrate
from alembic_boot.migration.status import read_status
from alembic_boot.state.inspection import Inspection, SchemaState
from backend.settings import load_settings
from tests.cluster import Cluster
from tests.scenarios.process import FOREIGN_ENV, ForeignProject, relations

SCHEMA_OF_ITS_OWN = """
import os
from sqlalchemy import text
""" + FOREIGN_ENV.replace(
    "    context.configure(",
    """\
    schema = os.environ["DEPLOYMENT"]
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {schema}"))
    connection.execute(text(f"SET search_path TO {schema}"))
    connection.commit()
    connection.dialect.default_schema_name = schema
    context.configure(""",
)


def described(url: str, config: Path) -> BootDescription:
    boot = load_settings({"DATABASE_URL": url}, Path("/nonexistent")).description()
    return replace(boot, alembic_config=AlembicConfig(config))


def migrated(boot: BootDescription) -> Inspection:
    found: list[Inspection] = []
    migrate(boot, then=found.append)
    [inspection] = found
    return inspection


def test_a_schema_for_each_deployment(
    tmp_path: Path, cluster: Cluster, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each gets its tables, though only a variable tells one from the other."""
    project = ForeignProject(tmp_path / "theirs", env=SCHEMA_OF_ITS_OWN)
    project.revision("a1")
    boot = described(cluster.url(database), project.config)
    for deployment in ("first", "second"):
        monkeypatch.setenv("DEPLOYMENT", deployment)
        with pytest.raises(ConfigurationError):  # a look would make the schema
            read_status(boot)
        assert migrated(boot).state is SchemaState.CURRENT
        assert read_status(boot).inspection.pending == ()
        assert f"{deployment}.t_a1" in relations(cluster, database)


def test_what_is_changed_behind_our_back(tmp_path: Path, cluster: Cluster, database: str) -> None:
    """A file, or a row of the version table, that is another one than at the last start."""
    project = ForeignProject(tmp_path / "theirs")
    project.revision("a1")
    boot = described(cluster.url(database), project.config)
    assert migrated(boot).current == ("a1",)
    project.revision("b2", "a1")
    assert migrated(boot).current == ("b2",)
    cluster.execute("UPDATE alembic_version SET version_num = 'a1'", database)
    cluster.execute("DROP TABLE t_b2", database)
    assert migrated(boot).current == ("b2",)
    assert "t_b2" in relations(cluster, database)


def test_a_database_that_plain_alembic_brought_to_head(
    tmp_path: Path, cluster: Cluster, database: str
) -> None:
    """It is current, and none of its revisions is imported to find that out."""
    project = ForeignProject(tmp_path / "theirs")
    project.revision("a1")
    boot = described(cluster.url(database), project.config)
    config = Config(str(project.config))
    config.set_main_option("sqlalchemy.url", boot.database_url.sqlalchemy_url)
    command.upgrade(config, "head")
    [file] = project.versions.glob("a1*.py")
    file.write_text(file.read_text() + "\nx = no_such_name\n")
    assert migrated(boot).state is SchemaState.CURRENT
