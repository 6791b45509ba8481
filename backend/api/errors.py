"""What a request gets when the database cannot answer it: 503 and a sentence, never SQL."""

import logging

from fastapi import FastAPI, Request, status
from fastapi.responses import JSONResponse
from psycopg2 import errorcodes
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from backend.api.database import cause
from backend.api.schemas import Problem
from backend.boot.masking import mask

_log = logging.getLogger(__name__)

_NOT_READY = "The database schema is not ready: see /health/ready."
_AWAY = "The database does not answer: see /health/ready."
_BUSY = "All connections to the database are in use: try again."

# What code meets on a schema older or newer than its own.
_SCHEMA_ERRORS = frozenset({errorcodes.UNDEFINED_TABLE, errorcodes.UNDEFINED_COLUMN})


def add_error_handlers(app: FastAPI) -> None:
    """Answer 503 for what mends itself when the database is back; the rest stays a defect, 500."""
    app.add_exception_handler(DBAPIError, _database_error)
    app.add_exception_handler(PoolTimeoutError, _pool_exhausted)


async def _database_error(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, DBAPIError):
        raise error
    if getattr(error.orig, "pgcode", None) in _SCHEMA_ERRORS:
        _log.warning("The schema does not fit a query: %s", mask(cause(error)))
        return _unavailable(_NOT_READY)
    # A connection that breaks in the middle can come as an error of no particular class.
    if isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated:
        _log.warning("The database does not answer: %s", mask(cause(error)))
        return _unavailable(_AWAY)
    raise error


async def _pool_exhausted(_request: Request, _error: Exception) -> JSONResponse:
    _log.warning("All connections of the pool are in use")
    return _unavailable(_BUSY)


def _unavailable(detail: str) -> JSONResponse:
    return JSONResponse(Problem(detail=detail).model_dump(), status.HTTP_503_SERVICE_UNAVAILABLE)
