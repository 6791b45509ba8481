"""Connect Alembic to the database, for every caller; the caller's logging stays as it is."""

from typing import Any

from alembic import context
from alembic.util import CommandError
from sqlalchemy import NullPool, create_engine

from alembic_boot.commands import as_typed
from alembic_boot.postgres.urls import parse_database_url
from alembic_boot.running.by_hand import one_at_a_time
from backend import __version__
from backend.models import Base
from backend.settings import load_settings
from backend.uses import Use


def database_url() -> str:
    """Return the URL that the caller has set, else the URL of the environment.

    This file connects by psycopg2, whichever driver the URL names.
    """
    if text := context.config.get_main_option("sqlalchemy.url"):
        return parse_database_url(text, "sqlalchemy.url").for_driver("psycopg2")
    settings = load_settings(uses=(Use.DATABASE,))
    if settings.migration_database_url is None:
        raise CommandError(
            f"No database configured: set DATABASE_URL, or use `{as_typed('inv migrate')}`"
        )
    return settings.migration_database_url.for_driver("psycopg2")


def lock_timeout() -> float:
    """Return the number of seconds to wait for another starter."""
    return load_settings(uses=(Use.DATABASE, Use.LOCK)).schema.lock_timeout


def traffic_timeout() -> float:
    """Return the number of seconds for which live traffic may block migrations."""
    return load_settings(uses=(Use.DATABASE, Use.LOCK)).schema.traffic_timeout


def include_name(name: str | None, kind: str, _parents: object) -> bool:
    """Leave out the journal of migrations, a table that no model describes."""
    return not (kind == "table" and name == "schema_journal")


options: dict[str, Any] = {
    "target_metadata": Base.metadata,
    "include_name": include_name,
    "compare_type": True,
    "compare_server_default": True,
    "transaction_per_migration": True,
}

if context.is_offline_mode():
    context.configure(
        dialect_name="postgresql",
        # The driver's own style doubles every %, and psql would keep both.
        dialect_opts={"paramstyle": "named"},
        literal_binds=True,
        **options,
    )
    with context.begin_transaction():
        context.run_migrations()
else:
    with create_engine(database_url(), poolclass=NullPool).connect() as connection:
        context.configure(connection=connection, **options)
        with (
            one_at_a_time(context.get_context(), lock_timeout, __version__, traffic_timeout),
            context.begin_transaction(),
        ):
            context.run_migrations()
