"""Alembic's own comparison, with the plugin that the distribution registers."""

from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.runtime.plugins import Plugin
from sqlalchemy import MetaData, NullPool, create_engine, text

from alembic_boot import alembic_plugin
from alembic_boot.state.journal_queries import CREATE, JOURNAL_TABLE


@pytest.fixture
def _plugin() -> Iterator[None]:
    name = "alembic.autogenerate.schema_journal"
    if entry_points(group="alembic.plugins", name=name):  # Alembic has loaded it
        yield
        return
    plugin = Plugin(name)
    alembic_plugin.setup(plugin)
    yield
    plugin.remove()


def test_alembic_before_1_20_iterates_over_the_entry_point() -> None:
    entry_point: Any = alembic_plugin
    assert list(entry_point) == [alembic_plugin]


@pytest.mark.usefixtures("_plugin")
def test_the_journal_beside_the_version_table_is_ignored(database_url: str) -> None:
    """A table of the same name in another schema, or of another form, is a difference."""
    engine = create_engine(database_url, poolclass=NullPool)
    with engine.connect() as connection:

        def dropped(schema: str | None) -> list[str | None]:
            options = {"version_table_schema": schema, "include_schemas": True}
            context = MigrationContext.configure(connection, opts=options)
            found = compare_metadata(context, MetaData())
            return sorted(it[1].schema or "" for it in found if it[0] == "remove_table")

        connection.execute(text("CREATE SCHEMA other"))
        connection.execute(text(CREATE.format(journal=JOURNAL_TABLE)))
        connection.execute(text(CREATE.format(journal=f"other.{JOURNAL_TABLE}")))
        assert dropped(None) == ["other"]
        assert dropped("other") == [""]
        connection.execute(text(f"ALTER TABLE {JOURNAL_TABLE} DROP COLUMN session_key"))
        assert dropped(None) == ["", "other"]
