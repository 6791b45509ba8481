"""Have PostgreSQL plan a statement: it says what does not fit the schema, and runs nothing."""

from collections.abc import Mapping
from datetime import datetime
from re import Match
from types import MappingProxyType
from typing import Any

import psycopg2
from psycopg2 import errorcodes
from psycopg2.extensions import connection as Connection

from alembic_boot.serving.worked import PARAMETER

_PATIENCE = "100ms"
"""How long a table may be locked."""

BUSY = frozenset({errorcodes.LOCK_NOT_AVAILABLE, errorcodes.QUERY_CANCELED})
"""PostgreSQL could not say whether a statement fits."""

_TYPES: Mapping[type, str] = {
    bool: "boolean",
    int: "integer",
    float: "double precision",
    datetime: "timestamptz",
}
"""The types of parameters that the statement itself does not say."""


def explained(statement: str, parameters: Mapping[str, Any] = MappingProxyType({})) -> str:
    """Return the statement that has PostgreSQL plan this one, with NULL for every parameter.

    Of the parameters only the types are kept.
    """

    def written(found: Match[str]) -> str:
        if found["percent"]:
            return "%"
        known = _TYPES.get(type(parameters.get(found["name"])))
        return f"CAST(NULL AS {known})" if known else "NULL"

    return "EXPLAIN " + PARAMETER.sub(written, statement)


def plan(connection: Connection, statement: str) -> psycopg2.Error | None:
    """Return the server's refusal to plan these statements; None if it does."""
    with connection.cursor() as cursor:
        cursor.execute("BEGIN READ ONLY")
        try:
            cursor.execute(f"SET LOCAL lock_timeout = '{_PATIENCE}'; {statement}")
        except psycopg2.Error as error:
            if error.pgcode is None:  # the connection is gone
                raise
            return error
        finally:
            if not connection.closed:
                cursor.execute("ROLLBACK")
    return None
