"""Connect Alembic to the database, for every caller; the caller's logging stays as it is."""

from typing import Any

from alembic import context

from backend.alembic_by_hand import connect, include_name, one_at_a_time
from backend.models import Base

options: dict[str, Any] = {
    "target_metadata": Base.metadata,
    "include_name": include_name,
    "compare_type": True,
    "compare_server_default": True,
    "transaction_per_migration": True,
}

if context.is_offline_mode():
    # The driver's own style of parameters doubles every %, and psql would keep both.
    as_text: dict[str, Any] = {"dialect_opts": {"paramstyle": "named"}, "literal_binds": True}
    context.configure(dialect_name="postgresql", **as_text, **options)
    with context.begin_transaction():
        context.run_migrations()
else:
    with connect(context.config) as connection:
        context.configure(connection=connection, **options)
        with one_at_a_time(context.get_context()), context.begin_transaction():
            context.run_migrations()
