"""Serve MoriAI's `alembic/env.py` with the settings, also if a person types `alembic`."""

from contextlib import AbstractContextManager

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection, NullPool, create_engine

from alembic_boot.commands import as_typed
from alembic_boot.description import SchemaPolicy
from alembic_boot.postgres.urls import parse_database_url
from alembic_boot.running.by_hand import one_at_a_time as of_the_tool
from alembic_boot.state.journal_queries import JOURNAL_TABLE
from backend import __version__
from backend.settings import load_settings
from backend.variables import Use


def connect(config: Config) -> Connection:
    """Return a connection to the URL that the caller has set, else to that of the environment.

    The driver is psycopg2, even if the URL names another one. Raises CommandError without a URL.
    """
    if text := config.get_main_option("sqlalchemy.url"):
        url = parse_database_url(text, "sqlalchemy.url")
    elif (found := load_settings(uses=(Use.DATABASE,)).migration_database_url) is not None:
        url = found
    else:
        raise CommandError(
            f"No database configured: set DATABASE_URL, or use `{as_typed('migrate')}`"
        )
    return create_engine(url.for_driver("psycopg2"), poolclass=NullPool).connect()


def one_at_a_time(context: MigrationContext) -> AbstractContextManager[None]:
    """Take the schema's lock and write the journal, unless the boot runs env.py and has done so."""

    def policy() -> SchemaPolicy:  # read only if a person has typed `alembic`
        return load_settings(uses=(Use.DATABASE, Use.LOCK)).schema

    return of_the_tool(
        context,
        lambda: policy().lock_timeout,
        __version__,
        lambda: policy().traffic_timeout,
    )


def include_name(name: str | None, kind: str, _parents: object) -> bool:
    """Leave out the journal of migrations, a table that no model describes."""
    return not (kind == "table" and name == JOURNAL_TABLE)
