import httpx
import pytest

from backend.main import create_app
from backend.schemas.problems import MEDIA_TYPE, ProblemType
from tests.api.application_settings import settings_for
from tests.api.server import serving

# What a client may rely on. A text that changes here breaks somebody.
STABLE = {
    "urn:moriai:problem:malformed-request",
    "urn:moriai:problem:invalid-request",
    "urn:moriai:problem:unauthenticated",
    "urn:moriai:problem:wrong-password",
    "urn:moriai:problem:too-many-attempts",
    "urn:moriai:problem:read-only",
    "urn:moriai:problem:not-found",
    "urn:moriai:problem:method-not-allowed",
    "urn:moriai:problem:conflict",
    "urn:moriai:problem:status-transition",
    "urn:moriai:problem:too-large",
    "urn:moriai:problem:unavailable",
    "urn:moriai:problem:defect",
    "about:blank",
}


def test_the_types_are_stable() -> None:
    assert {str(kind) for kind in ProblemType} == STABLE


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "kind"),
    [
        ("GET", "/nothing", None, 404, "not-found"),
        ("GET", "/api/v1/books/", None, 404, "not-found"),
        ("POST", "/health/live", None, 405, "method-not-allowed"),
        ("POST", "/api/v1/auth/login", b"{", 400, "malformed-request"),
        ("POST", "/api/v1/auth/login", b'"\xff"', 400, "malformed-request"),
        ("POST", "/api/v1/auth/login", '{"a": "é"}'.encode("utf-16"), 400, "malformed-request"),
        ("POST", "/api/v1/auth/login", '{"a": 1}'.encode("utf-16-le"), 400, "malformed-request"),
        ("POST", "/api/v1/auth/login", '{"a": 1}'.encode("utf-32-be"), 400, "malformed-request"),
        ("POST", "/api/v1/auth/login", '{"a": 1}'.encode("utf-8-sig"), 400, "malformed-request"),
        ("POST", "/api/v1/auth/login", b'{"\\ud800": 1}', 422, "invalid-request"),
        ("GET", "/api/v1/books/nonsense", None, 422, "invalid-request"),
        ("GET", "/api/v1/auth/me", None, 401, "unauthenticated"),
    ],
)
def test_an_error_is_a_problem(
    service: httpx.Client, method: str, path: str, body: bytes | None, status: int, kind: str
) -> None:
    """Of its type, with its status in it, and two sentences for people."""
    headers = {"Content-Type": "application/json"}
    answer = service.request(method, path, content=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == MEDIA_TYPE
    problem = answer.json()
    assert (problem["type"], problem["status"]) == (f"urn:moriai:problem:{kind}", status)
    assert problem["title"]
    assert problem["detail"]


def test_every_method_of_an_address_is_allowed(service: httpx.Client) -> None:
    """And not those of the first of its routes alone."""
    answer = service.put("/api/v1/books/00000000-0000-0000-0000-000000000001")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, PATCH, DELETE"


def test_a_defect_says_nothing(seeded_url: str) -> None:
    """The log has the traceback; who asks learns that there is one."""
    app = create_app(settings_for(seeded_url))

    @app.get("/defect")
    def defect() -> None:
        raise RuntimeError("a secret of the house")

    with serving(app) as client:
        answer = client.get("/defect")
        assert client.get("/health/live").status_code == 200
    assert answer.status_code == 500
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.json()["type"] == "urn:moriai:problem:defect"
    assert answer.headers["connection"] == "close"
    assert "secret" not in answer.text
