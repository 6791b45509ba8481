from typing import Any

import httpx
import pytest

from backend.main import create_app

# Every answer that a route can give, besides the unforeseen.
ANSWERS = {
    "/health/live": {"200"},
    "/health/ready": {"200", "503"},
    "/api/v1/books": {"200", "422", "503"},
    "/api/v1/books/{book_id}": {"200", "404", "422", "503"},
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app().openapi()


def test_every_answer_is_documented(document: dict[str, Any]) -> None:
    """No route is missing here, and none has more in it than this."""
    found = {path: set(methods["get"]["responses"]) for path, methods in document["paths"].items()}
    assert found == ANSWERS


def test_every_route_says_what_it_does(document: dict[str, Any]) -> None:
    """In a summary, a description and a group; its id is a name of its own."""
    operations = [methods["get"] for methods in document["paths"].values()]
    for operation in operations:
        assert operation["summary"]
        assert operation["description"]
        assert operation["tags"]
        for answer in operation["responses"].values():
            assert answer["content"]["application/json"]["schema"]
    assert len({operation["operationId"] for operation in operations}) == len(operations)


def test_the_documentation_is_served(seeded_client: httpx.Client) -> None:
    assert seeded_client.get("/docs").status_code == 200
    assert seeded_client.get("/openapi.json").json()["info"]["title"] == "MoriAI"
