"""Statements that fail on the schema only when they run: PostgreSQL can plan them.

The facts decide: PostgreSQL's code, the function of its source and the name of the column.
"""

from typing import Any

from psycopg2 import errorcodes
from sqlalchemy import MetaData
from sqlalchemy.exc import DBAPIError

from alembic_boot.postgres.sqlstate import sqlstate

_POLICY = "ExecWithCheckOptions"
"""PostgreSQL's function that refuses a row because of row level security."""

_RAISED = "exec_stmt_raise"
"""PostgreSQL's function for `RAISE`: the text may have in it what a client has sent."""


def failed_when_run(error: DBAPIError) -> str | None:
    """Return what to say of a statement that failed when it ran; None if it was in its planning.

    A function of the database or a trigger runs with it, or its row is refused.
    """
    diag: Any = getattr(error.orig, "diag", None)
    is_of_row = diag is not None and (
        diag.source_function == _POLICY or sqlstate(error) == errorcodes.NOT_NULL_VIOLATION
    )
    if diag is None or not (diag.context or is_of_row):
        return None
    if diag.source_function == _RAISED:
        return "a function of the database refuses a statement"
    return " ".join((diag.message_primary or "a statement fails when it runs").split())


def needs_unknown_column(error: DBAPIError, metadata: MetaData) -> bool:
    """Return whether a row lacks a value for a column that the models do not have."""
    diag: Any = getattr(error.orig, "diag", None)
    if diag is None or sqlstate(error) != errorcodes.NOT_NULL_VIOLATION:
        return False
    tables = [it for it in metadata.tables.values() if it.name == diag.table_name]
    return bool(tables) and all(diag.column_name not in it.columns for it in tables)
