"""Answers to failed requests: a problem in two sentences, without SQL or a traceback."""

import logging
from collections.abc import Mapping

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from psycopg2 import errorcodes
from sqlalchemy.exc import (
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    TimeoutError as PoolTimeoutError,
)
from starlette.exceptions import HTTPException
from starlette.routing import Match

from alembic_boot.output.log import current_request_id
from alembic_boot.output.masking import mask
from alembic_boot.postgres.sqlstate import sqlstate
from alembic_boot.serving.sqlstates import SHORTAGES, UNFIT
from alembic_boot.serving.statements import Statements
from backend.api.complaints import complaints
from backend.api.database import cause
from backend.api.problems import answer, invalid
from backend.api.request_log import HEADER
from backend.api.runtime_schema_errors import failed_when_run, needs_unknown_column
from backend.api.threads import OverloadedError
from backend.models import Base
from backend.schemas.parts import PartsConflictError
from backend.schemas.problems import Complaint, ProblemType
from backend.services.errors import (
    BusyError,
    ConflictError,
    LaterError,
    NotFoundError,
    ReadOnlyError,
    ServiceError,
    TooManyAttemptsError,
    TransitionError,
    UnauthenticatedError,
    UnfitPasswordError,
    WrongPasswordError,
)

_log = logging.getLogger(__name__)

_NOT_READY = "The database schema does not fit this release: see /health/ready, and the log."
_AWAY = "The database does not answer: see /health/ready."
_BUSY = "The database is busy: try again."
_SHORT = "The database is short of something: see /health/ready."
_TAKES_NO_WRITES = "The database takes no writes now: try again later."
_MEANWHILE = "Another request changed it meanwhile. Read it again, then try again."
_DEFECT = "An unforeseen error happened. The log of the service describes it."

# Conditions that end by themselves, or that the operator fixes.
_OF_CODES: Mapping[str, str] = {
    # The schema does not fit the code.
    **dict.fromkeys(UNFIT, _NOT_READY),
    # A lock or another session blocked the statement until its timeout, or cancelled it.
    errorcodes.QUERY_CANCELED: _BUSY,
    errorcodes.LOCK_NOT_AVAILABLE: _BUSY,
    errorcodes.DEADLOCK_DETECTED: _BUSY,
    errorcodes.SERIALIZATION_FAILURE: _BUSY,
    **dict.fromkeys(SHORTAGES, _SHORT),
    # A standby, or a database in read-only mode.
    errorcodes.READ_ONLY_SQL_TRANSACTION: _TAKES_NO_WRITES,
}

_REFUSALS: Mapping[type[ServiceError], tuple[ProblemType, int]] = {
    UnauthenticatedError: (ProblemType.UNAUTHENTICATED, 401),
    WrongPasswordError: (ProblemType.WRONG_PASSWORD, 403),
    ReadOnlyError: (ProblemType.READ_ONLY, 403),
    NotFoundError: (ProblemType.NOT_FOUND, 404),
    ConflictError: (ProblemType.CONFLICT, 409),
    TransitionError: (ProblemType.TRANSITION, 409),
    TooManyAttemptsError: (ProblemType.TOO_MANY, 429),
    BusyError: (ProblemType.UNAVAILABLE, 503),
}

# Refusals by FastAPI and Starlette themselves.
_OF_STATUS: Mapping[int, tuple[ProblemType, str]] = {
    400: (ProblemType.MALFORMED, "The body cannot be read. Send JSON in UTF-8."),
    404: (ProblemType.NOT_FOUND, "There is nothing here."),
    405: (ProblemType.METHOD_NOT_ALLOWED, "This address does not support this method."),
}


def add_error_handlers(app: FastAPI) -> None:
    """Answer each failure with a problem: 503 if a retry can succeed, 500 only for a defect."""
    app.add_exception_handler(ServiceError, _refused)
    app.add_exception_handler(UnfitPasswordError, _unfit)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(PartsConflictError, _parts_conflict)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(OverloadedError, _overloaded)
    app.add_exception_handler(DBAPIError, _database_error)
    app.add_exception_handler(PoolTimeoutError, _pool_exhausted)
    # The server still gets the exception, and logs it.
    app.add_exception_handler(Exception, _defect)


async def _refused(_request: Request, error: Exception) -> Response:
    if not isinstance(error, ServiceError):
        raise error
    kind, status = _REFUSALS[type(error)]
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if isinstance(error, LaterError):
        headers["Retry-After"] = str(error.retry_after)
    return answer(kind, status, str(error), headers)


async def _unfit(_request: Request, error: Exception) -> Response:
    if not isinstance(error, UnfitPasswordError):
        raise error
    complaint = Complaint(loc=["body", error.field], msg=str(error), type="unfit_password")
    return invalid([complaint], 1)


async def _invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    faults = error.errors()
    if faults[0]["type"] == "json_invalid":
        where, why = faults[0]["loc"][-1], faults[0]["ctx"]["error"]
        detail = f"The body is not JSON: {why}, at character {where}. Fix it, and send it again."
        return answer(ProblemType.MALFORMED, 400, detail)
    is_json = "json" in request.headers.get("content-type", "")
    return invalid(complaints(faults, is_json=is_json), len(faults))


async def _parts_conflict(_request: Request, error: Exception) -> Response:
    return answer(ProblemType.CONFLICT, 409, str(error))


async def _of_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    kind, detail = _OF_STATUS.get(error.status_code, (ProblemType.OTHER, str(error.detail)))
    headers = {"Allow": _allowed(request)} if error.status_code == 405 else error.headers
    return answer(kind, error.status_code, detail, headers)


async def _overloaded(_request: Request, error: Exception) -> Response:
    if not isinstance(error, OverloadedError):
        raise error
    return answer(ProblemType.UNAVAILABLE, 503, error.detail, error.headers)


def _allowed(request: Request) -> str:
    """Return the methods of an address; Starlette names only those of the first route."""
    routes = request.app.routes
    found = [
        method
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        if any(it.matches({**request.scope, "method": method})[0] is Match.FULL for it in routes)
    ]
    return ", ".join(["GET", "HEAD", *found[1:]] if found[:1] == ["GET"] else found)


async def _database_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, DBAPIError):
        raise error
    code = sqlstate(error) or ""
    is_unfit = _is_label_missing(code, error) or needs_unknown_column(error, Base.metadata)
    detail = _NOT_READY if is_unfit else _OF_CODES.get(code)
    if detail is not None:
        if detail is _NOT_READY and error.statement is not None:
            _tell(request.app.state.resources.readiness.statements, error.statement, code, error)
        request.app.state.resources.readiness.note_unavailable(code)
        _log.warning("%s (%s)", detail.rstrip("."), mask(cause(error)))
        return _unavailable(detail)
    # A connection that breaks in the middle may raise an error of no particular class.
    if isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated:
        request.app.state.resources.readiness.note_unavailable(code or None)
        _log.warning("The database does not answer: %s", mask(cause(error)))
        return _unavailable(_AWAY)
    if isinstance(error, IntegrityError):
        return answer(ProblemType.CONFLICT, 409, _MEANWHILE)
    raise error


def _tell(statements: Statements, statement: str, code: str, error: DBAPIError) -> None:
    """Tell the readiness probe of a statement that the schema does not fit."""
    if (message := failed_when_run(error)) is not None:
        is_certain = needs_unknown_column(error, Base.metadata)
        statements.note_failed_run(statement, code, message, is_certain=is_certain)
    elif code in UNFIT:
        parameters = error.params if isinstance(error.params, Mapping) else {}
        statements.note_failed(statement, code, parameters)


def _is_label_missing(code: str, error: DBAPIError) -> bool:
    """Return whether the schema's enum lacks a label that the code uses."""
    is_malformed = code == errorcodes.INVALID_TEXT_REPRESENTATION
    raised_in = getattr(getattr(error.orig, "diag", None), "source_function", None)
    return is_malformed and raised_in == "enum_in"


async def _pool_exhausted(_request: Request, _error: Exception) -> Response:
    _log.warning("All connections of the pool are in use")
    return _unavailable(_BUSY)


async def _defect(_request: Request, _error: Exception) -> Response:
    # The server closes the connection after a defect. A client that is not told would lose its next
    # request there.
    headers = {"Connection": "close"}
    # This answer is outside of the middleware that adds the id to every other answer.
    if request_id := current_request_id():
        headers[HEADER] = request_id
    return answer(ProblemType.DEFECT, 500, _DEFECT, headers)


def _unavailable(detail: str) -> Response:
    return answer(ProblemType.UNAVAILABLE, 503, detail)
