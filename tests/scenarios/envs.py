"""Kinds of env.py that people have."""

from tests.scenarios.process import FOREIGN_ENV

ASYNC_ENV = """
import asyncio
import re

from alembic import context
from sqlalchemy import pool
from sqlalchemy.ext.asyncio import create_async_engine

def run(connection):
    context.configure(connection=connection, target_metadata=None)
    with context.begin_transaction():
        context.run_migrations()

async def main():
    url = context.config.get_main_option("sqlalchemy.url")
    engine = create_async_engine(
        re.sub(r"[+][a-z0-9]+", "+DRIVER", url, count=1), poolclass=pool.NullPool
    )
    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()

asyncio.run(main())
"""
"""What an env.py of Alembic's async template comes down to."""

DRIVERS = {
    "psycopg2": FOREIGN_ENV,
    **{driver: ASYNC_ENV.replace("DRIVER", driver) for driver in ("psycopg", "asyncpg")},
}
"""An env.py for each driver."""

ONE_TRANSACTION_ENV = FOREIGN_ENV.replace(
    "with connectable.connect() as connection:", "with connectable.begin() as connection:"
)
"""Opens the transaction itself."""

AUTOCOMMIT_ENV = FOREIGN_ENV.replace(
    "with connectable.connect() as connection:",
    'with connectable.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:',
)

HAND_ENV = """
from alembic import context
from sqlalchemy import engine_from_config, pool

from alembic_boot.running.by_hand import one_at_a_time

config = context.config
connectable = engine_from_config(
    config.get_section(config.config_ini_section), prefix="sqlalchemy.", poolclass=pool.NullPool
)
with connectable.connect() as connection:
    context.configure(connection=connection)
    with one_at_a_time(context.get_context()), context.begin_transaction():
        context.run_migrations()
"""
"""As docs/other-projects.md has it, with Alembic's own settings."""

OWN_SETTINGS_ENV = """
from alembic import context
from sqlalchemy import create_engine

engine = create_engine(THEIR_URL, ENGINE_OPTIONS)
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=None,
        transaction_per_migration=False,
        transactional_ddl=True,
        version_table="their_version",
        on_version_apply=lambda **_: None,
    )
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()  # or its pool would outlive it, as it may in a process of its own
"""


def own_settings_env(url: str, driver: str, options: str) -> str:
    """Return an env.py with a URL of its own, and options of its engine."""
    theirs = repr(url.replace("postgresql:", f"postgresql+{driver}:"))
    return OWN_SETTINGS_ENV.replace("THEIR_URL", theirs).replace("ENGINE_OPTIONS", options)
