"""Let PostgreSQL plan a statement: it reports schema errors, and runs nothing."""

from collections.abc import Mapping
from datetime import datetime
from re import Match
from types import MappingProxyType
from typing import Any

import psycopg2
from psycopg2 import errorcodes
from psycopg2.extensions import connection as Connection

from alembic_boot.serving.working_statements import PARAMETER

_PATIENCE = "100ms"
"""Longest wait for a locked table."""

BUSY = frozenset({errorcodes.LOCK_NOT_AVAILABLE, errorcodes.QUERY_CANCELED})
"""Errors after which it is unknown whether a statement fits."""

_TYPES: Mapping[type, str] = {
    bool: "boolean",
    int: "integer",
    float: "double precision",
    datetime: "timestamptz",
}
"""The types of parameters that the statement itself does not name."""


def explained(statement: str, parameters: Mapping[str, Any] = MappingProxyType({})) -> str:
    """Return a statement by which PostgreSQL plans this one, with NULL for every parameter.

    Only the types of the parameters are used.
    """

    def written(found: Match[str]) -> str:
        if found["percent"]:
            return "%"
        known = _TYPES.get(type(parameters.get(found["name"])))
        return f"CAST(NULL AS {known})" if known else "NULL"

    return "EXPLAIN " + PARAMETER.sub(written, statement)


def plan(connection: Connection, statement: str) -> psycopg2.Error | None:
    """Return the server's refusal to plan these statements; None if it plans them."""
    with connection.cursor() as cursor:
        cursor.execute("BEGIN READ ONLY")
        try:
            cursor.execute(f"SET LOCAL lock_timeout = '{_PATIENCE}'; {statement}")
        except psycopg2.Error as error:
            if error.pgcode is None:  # the connection is lost
                raise
            return error
        finally:
            if not connection.closed:
                cursor.execute("ROLLBACK")
    return None
