from typing import Any

import pytest

from alembic_boot.serving.requests import refusal
from backend.main import create_app
from backend.schemas.problems import Problem
from tests.api.document import operations
from tests.api.paths import RECORDING, TRANSLATION

WRITE = {"400", "401", "403", "404", "409", "422", "503"}
TAKE = WRITE - {"400"}

# Every answer that a route can give, besides the unforeseen and those of ANY.
ANSWERS = {
    "GET /health/live": {"200"},
    "GET /health/ready": {"200", "503"},
    "POST /api/v1/auth/register": {"202", "400", "422", "429", "503"},
    "POST /api/v1/auth/login": {"200", "400", "401", "422", "429", "503"},
    "GET /api/v1/auth/me": {"200", "401", "503"},
    "GET /api/v1/auth/me/export": {"200", "401", "503"},
    "POST /api/v1/auth/me/delete": {"204", "429", *WRITE} - {"404"},
    "POST /api/v1/auth/password": {"200", "429", *WRITE} - {"404", "409"},
    "POST /api/v1/auth/logout-everywhere": {"204", "401", "503"},
    "GET /api/v1/books": {"200", "401", "422", "503"},
    "POST /api/v1/books": {"201", "400", "401", "409", "422", "503"},
    "GET /api/v1/books/{book_id}": {"200", "401", "404", "422", "503"},
    "PATCH /api/v1/books/{book_id}": {"200", *WRITE},
    "DELETE /api/v1/books/{book_id}": {"204", *TAKE},
    "POST /api/v1/books/{book_id}/pages": {"201", *WRITE},
    "PATCH /api/v1/books/{book_id}/pages/{page_id}": {"200", *WRITE},
    "DELETE /api/v1/books/{book_id}/pages/{page_id}": {"204", *TAKE},
    "POST /api/v1/books/{book_id}/pages/{page_id}/dialogues": {"201", *WRITE},
    "PATCH /api/v1/books/{book_id}/dialogues/{dialogue_id}": {"200", *WRITE},
    "DELETE /api/v1/books/{book_id}/dialogues/{dialogue_id}": {"204", *TAKE},
    f"PUT {TRANSLATION}": {"200", *WRITE},
    f"DELETE {TRANSLATION}": {"204", *TAKE},
    f"PUT {RECORDING}": {"200", *WRITE},
    f"DELETE {RECORDING}": {"204", *TAKE},
    "GET /api/v1/voices": {"200", "401", "422", "503"},
    "POST /api/v1/voices": {"201", "400", "401", "409", "422", "503"},
    "GET /api/v1/voices/{voice_id}": {"200", "401", "404", "422", "503"},
    "PATCH /api/v1/voices/{voice_id}": {"200", *WRITE},
    "DELETE /api/v1/voices/{voice_id}": {"204", *TAKE},
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app().openapi()


# A request of any method may come too slowly, or have a body that is too large. What probes are
# told is no problem.
ANY = {"408", "413"}


def test_every_answer_is_documented(document: dict[str, Any]) -> None:
    """No route is missing here, and none has more in it than this."""
    found = {name: set(operation["responses"]) for name, operation in operations(document)}
    assert found == {
        name: answers if "/health/" in name else answers | ANY for name, answers in ANSWERS.items()
    }


def test_what_a_request_that_cannot_be_read_is_told(document: dict[str, Any]) -> None:
    """What has a body, and nothing else."""
    with_body = {name for name, operation in operations(document) if "requestBody" in operation}
    assert with_body == {name for name, answers in ANSWERS.items() if "400" in answers}


def test_when_to_try_again_is_documented(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        of_header = {status for status, it in operation["responses"].items() if "headers" in it}
        assert "/health/" in name or of_header == {"429", "503"} & ANSWERS[name]


def test_every_route_says_what_it_does(document: dict[str, Any]) -> None:
    """In a summary, a description and a group; its id is a name of its own."""
    ids = []
    for _name, operation in operations(document):
        assert operation["summary"]
        assert operation["description"]
        assert operation["tags"]
        ids.append(operation["operationId"])
    assert len(set(ids)) == len(ids)


def test_every_error_is_a_problem(document: dict[str, Any]) -> None:
    """By the media type that RFC 9457 has for it; only readiness has an answer of its own."""
    for name, operation in operations(document):
        for status, answer in operation["responses"].items():
            is_problem = status >= "400" and name != "GET /health/ready"
            media = "application/problem+json" if is_problem else "application/json"
            assert status == "204" or list(answer["content"]) == [media], (name, status)


def test_an_answer_of_the_server_itself_is_a_problem_as_well() -> None:
    body = refusal(408, ()).partition(b"\r\n\r\n")[2]
    assert Problem.model_validate_json(body).status == 408
