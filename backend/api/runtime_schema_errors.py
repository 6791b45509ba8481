"""Schema errors that appear only when a statement runs: PostgreSQL can plan it.

They are recognised by PostgreSQL's error code, the function in its source, and the column's name.
"""

from typing import Any

from psycopg2 import errorcodes
from sqlalchemy import MetaData
from sqlalchemy.exc import DBAPIError

from alembic_boot.postgres.sqlstate import sqlstate

_POLICY = "ExecWithCheckOptions"
"""PostgreSQL's function that refuses a row because of row level security."""

_RAISED = "exec_stmt_raise"
"""PostgreSQL's function for `RAISE`. Its text may contain data of a client."""


def failed_when_run(error: DBAPIError) -> str | None:
    """Return the reason why a statement failed when it ran; None if its planning failed.

    A function or a trigger of the database failed, or row level security refused a row.
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
