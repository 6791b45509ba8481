"""A statement of a request: its plan by PostgreSQL, which runs nothing, and its shape."""

import re
from collections.abc import Mapping
from datetime import datetime
from re import Match
from types import MappingProxyType
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

_PATIENCE = "100ms"
"""Longest wait for a locked table."""

_TYPES: Mapping[type, str] = {
    bool: "boolean",
    int: "integer",
    float: "double precision",
    datetime: "timestamptz",
}
"""The types of parameters that the statement itself does not name."""

# The parameters of psycopg2 and psycopg, and the percent sign that is not one.
_PARAMETER = re.compile(r"%(?P<percent>%)|%(\((?P<name>[^)]*)\))?s")

# SQLAlchemy writes a group of values per inserted row, with numbers in the names.
_NUMBER = re.compile(r"\d+")
_ROWS = re.compile(r"(\([^()]*\))(?:,\s*\1)+")


def explained(statement: str, parameters: Mapping[str, Any] = MappingProxyType({})) -> str:
    """Return a statement by which PostgreSQL plans this one, with NULL for every parameter.

    Only the types of the parameters are used.
    """

    def written(found: Match[str]) -> str:
        if found["percent"]:
            return "%"
        known = _TYPES.get(type(parameters.get(found["name"])))
        return f"CAST(NULL AS {known})" if known else "NULL"

    return "EXPLAIN " + _PARAMETER.sub(written, statement)


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


def shape_of(statement: str) -> int:
    """Return a hash of a statement, equal for all values and any number of rows."""
    without_values = _NUMBER.sub("0", _PARAMETER.sub("?", statement))
    return hash(_ROWS.sub(r"\1", without_values))
