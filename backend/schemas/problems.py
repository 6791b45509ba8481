"""Error answers: RFC 9457, `application/problem+json`."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

MEDIA_TYPE = "application/problem+json"


class ProblemType(StrEnum):
    """The kinds of problems. Clients may rely on these texts: they never change."""

    MALFORMED = "urn:moriai:problem:malformed-request"
    INVALID = "urn:moriai:problem:invalid-request"
    UNAUTHENTICATED = "urn:moriai:problem:unauthenticated"
    WRONG_PASSWORD = "urn:moriai:problem:wrong-password"  # noqa: S105 - the name of a kind
    READ_ONLY = "urn:moriai:problem:read-only"
    NOT_FOUND = "urn:moriai:problem:not-found"
    METHOD_NOT_ALLOWED = "urn:moriai:problem:method-not-allowed"
    CONFLICT = "urn:moriai:problem:conflict"
    TRANSITION = "urn:moriai:problem:status-transition"
    TOO_LARGE = "urn:moriai:problem:too-large"
    TOO_MANY = "urn:moriai:problem:too-many-attempts"
    UNAVAILABLE = "urn:moriai:problem:unavailable"
    DEFECT = "urn:moriai:problem:defect"
    OTHER = "about:blank"


class Problem(BaseModel):
    """The reason why a request failed."""

    model_config = ConfigDict(frozen=True)

    type: ProblemType = Field(description="The kind of problem, for programs.")
    title: str = Field(description="The kind of problem, for people.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What happened here, and what to do.")
    instance: str | None = Field(
        description="`urn:moriai:request:` and the id of the request, which the log has as well."
    )


class Complaint(BaseModel):
    """The error of one part of a request."""

    loc: list[str | int] = Field(
        description="The place of the error.", examples=[["query", "limit"]]
    )
    msg: str = Field(description="The error.")
    type: str = Field(description="The kind of complaint.", examples=["greater_than_equal"])


class InvalidRequest(Problem):
    """Some parts of the request are invalid."""

    errors: list[Complaint] = Field(description="The first of them, and 20 at most.")
