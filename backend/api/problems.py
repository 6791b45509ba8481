"""Problems as answers, and in the documentation of a route."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Response

from alembic_boot.output.log import current_request_id
from backend.schemas.problems import MEDIA_TYPE, Complaint, InvalidRequest, Problem, ProblemType

# Description of each kind, by its status, for readers of the document.
_MEANINGS: Mapping[int, str] = {
    400: "The request cannot be read.",
    401: "The request has no token, or its token is not valid.",
    403: "It is a default object or another account's: you can read it, but not change it. Or the "
    "password is wrong.",
    404: "It does not exist, or you may not see it.",
    409: "It exists already, a status may not follow, or parts of a book conflict.",
    408: "The request did not arrive in time.",
    413: "The body is larger than MAX_BODY_BYTES, or has too many brackets.",
    422: "Parts of the request are not as they must be.",
    429: "There were too many attempts.",
    503: "The database is away, busy or read-only, or its schema is not ready. Or this stops, or "
    "has too much to do: requests, large bodies, large answers, or people who sign in.",
}

_OF_ANY_REQUEST = (408, 413)
"""Statuses that any route may answer, because a body may come with any method."""

_RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds to wait before the next try.",
        "schema": {"type": "integer", "minimum": 1},
    }
}

_TITLES: Mapping[ProblemType, str] = {
    ProblemType.MALFORMED: "The request cannot be read",
    ProblemType.INVALID: "The request is not valid",
    ProblemType.UNAUTHENTICATED: "Nobody is signed in",
    ProblemType.WRONG_PASSWORD: "The password is wrong",
    ProblemType.READ_ONLY: "It cannot be changed",
    ProblemType.NOT_FOUND: "There is no such thing",
    ProblemType.METHOD_NOT_ALLOWED: "It cannot be used in this way",
    ProblemType.CONFLICT: "It conflicts with what is there",
    ProblemType.TRANSITION: "The status does not follow",
    ProblemType.TOO_LARGE: "The body is too large",
    ProblemType.TOO_MANY: "There were too many attempts",
    ProblemType.UNAVAILABLE: "The service cannot answer now",
    ProblemType.DEFECT: "The service has a defect",
}


def answer(
    kind: ProblemType, status: int, detail: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Return an answer that contains a problem."""
    title = _TITLES.get(kind) or HTTPStatus(status).phrase
    problem = Problem(type=kind, title=title, status=status, detail=detail, instance=_instance())
    return _response(problem, headers)


def invalid(complaints: list[Complaint], count: int) -> Response:
    """Return an answer with the errors of a request; `count` includes errors that are left out."""
    rest = count - len(complaints)
    named = f"`errors` names, and {rest} more" if rest else "`errors` names"
    problem = InvalidRequest(
        type=ProblemType.INVALID,
        title=_TITLES[ProblemType.INVALID],
        status=422,
        detail=f"Fix what {named}, and send it again.",
        instance=_instance(),
        errors=complaints,
    )
    return _response(problem)


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the documentation of a route that may answer with these problems."""
    return {
        status: {
            "model": InvalidRequest if status == 422 else Problem,
            "description": _MEANINGS[status],
            **({"headers": _RETRY_AFTER} if status in (429, 503) else {}),
        }
        for status in sorted({*statuses, *_OF_ANY_REQUEST})
    }


def with_media_type(document: dict[str, Any]) -> dict[str, Any]:
    """Return the OpenAPI document with the media type of problems, which FastAPI cannot set."""
    of_problems = {f"#/components/schemas/{it.__name__}" for it in (Problem, InvalidRequest)}
    for path in document["paths"].values():
        for operation in path.values():
            for response in operation["responses"].values():
                content = response.get("content", {})
                schema = content.get("application/json", {}).get("schema", {})
                if schema.get("$ref") in of_problems:
                    content[MEDIA_TYPE] = content.pop("application/json")
    return document


def _instance() -> str | None:
    request_id = current_request_id()
    return None if request_id is None else f"urn:moriai:request:{request_id}"


def _response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    # ASCII only: a request may contain halves of surrogate pairs.
    text = problem.model_dump_json(ensure_ascii=True)
    return Response(text, problem.status, headers=headers, media_type=MEDIA_TYPE)
