"""PostgreSQL's error codes, as readiness tells them: in public sentences, without names."""

from collections.abc import Mapping

from psycopg2 import errorcodes

UNFIT = frozenset(
    {
        errorcodes.UNDEFINED_TABLE,
        errorcodes.UNDEFINED_COLUMN,
        errorcodes.UNDEFINED_FUNCTION,  # operators, too: the type of a column has changed
        errorcodes.UNDEFINED_OBJECT,
        errorcodes.INVALID_SCHEMA_NAME,
        errorcodes.INVALID_COLUMN_REFERENCE,  # ON CONFLICT without the constraint that it needs
        errorcodes.DATATYPE_MISMATCH,
        errorcodes.CANNOT_COERCE,
        errorcodes.WRONG_OBJECT_TYPE,
        errorcodes.GENERATED_ALWAYS,
        errorcodes.INSUFFICIENT_PRIVILEGE,
    }
)
"""Of a statement that does not fit the schema, or the role's rights."""

SHORTAGES = frozenset(
    {
        errorcodes.INSUFFICIENT_RESOURCES,
        errorcodes.DISK_FULL,
        errorcodes.OUT_OF_MEMORY,
        errorcodes.TOO_MANY_CONNECTIONS,
        errorcodes.CONFIGURATION_LIMIT_EXCEEDED,
    }
)
"""Of a server that works, but lacks a resource for some requests."""

BUSY = frozenset({errorcodes.LOCK_NOT_AVAILABLE, errorcodes.QUERY_CANCELED})
"""After which it is unknown whether a statement fits."""

_NO_ANSWER = (
    "The database does not answer. Check that it runs and can be reached; the log says where."
)
_ANY_OTHER = "The database cannot be queried ({}). The log says why."
_BUSY = "The database is too busy to report the schema's state ({}). Ask again."
_MOVING = "The database starts, stops or recovers ({}). Wait, or see the log of the server."

_SENTENCES: Mapping[str, str] = {
    errorcodes.DISK_FULL: "The disk of the database is full ({}). Make room on it.",
    errorcodes.OUT_OF_MEMORY: "The database has no memory left ({}). Give the server more.",
    errorcodes.TOO_MANY_CONNECTIONS: (
        "The database takes no more connections ({}). Raise the limit of the server, the database "
        "or the role, or run fewer replicas."
    ),
    "53": "The database is at one of its limits ({}). The log says which.",
    errorcodes.CANNOT_CONNECT_NOW: _MOVING,
    errorcodes.ADMIN_SHUTDOWN: _MOVING,
    errorcodes.CRASH_SHUTDOWN: _MOVING,
    **dict.fromkeys(BUSY, _BUSY),
    "28": "The database refuses the login ({}). Check the password; the log names the role.",
    "3D": "The database does not exist ({}). Create it; the log names it.",
    errorcodes.INSUFFICIENT_PRIVILEGE: "The role lacks a right ({}). Grant it; the log says which.",
}
"""By the whole code, or by its class: the first two characters."""


def sentence(sqlstate: str | None) -> str:
    """Return the problem and its remedy; without a SQLSTATE no server has answered."""
    if not sqlstate:
        return _NO_ANSWER
    text = _SENTENCES.get(sqlstate) or _SENTENCES.get(sqlstate[:2], _ANY_OTHER)
    return text.format(sqlstate)
