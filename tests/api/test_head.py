"""HEAD is GET without the body: for monitors, balancers and clients that only look."""

import httpx
import pytest

from tests.api.people import sign_up

NOWHERE = "/api/v1/books/00000000-0000-0000-0000-000000000001"

PATHS = {
    "/health/live": 200,
    "/health/ready": 200,
    "/metrics": 200,
    "/docs": 200,
    "/openapi.json": 200,
    "/api/v1/books": 200,
    "/api/v1/books?limit=1": 200,
    "/api/v1/voices": 200,
    NOWHERE: 404,
    "/api/v1/books/nonsense": 422,
    "/api/v1/auth/me": 401,
    "/nothing": 404,
    # Nothing to be read here: what GET is refused, HEAD is refused.
    "/api/v1/auth/login": 405,
}


@pytest.mark.parametrize("path", PATHS)
def test_head_answers_as_get_does(seeded_client: httpx.Client, path: str) -> None:
    """With its status and its headers; the connection is good for the next request."""
    get = seeded_client.get(path)
    head = seeded_client.head(path)
    again = seeded_client.get(path)

    assert (get.status_code, head.status_code, again.status_code) == (PATHS[path],) * 3
    assert head.content == b""
    if path != "/metrics":  # which counts the request in between
        assert _stable(head) == _stable(get)
    assert head.headers["content-length"] != "0"


def test_head_of_what_is_somebodys_own(service: httpx.Client) -> None:
    """Signed in, it is found; for everybody else it is not there."""
    person = sign_up(service)
    path = f"/api/v1/books/{person.make('books')['id']}"
    assert (person.ask("HEAD", path).status_code, service.head(path).status_code) == (200, 404)


def test_head_is_counted_as_head(seeded_client: httpx.Client) -> None:
    """By the route that it found, as GET is."""
    seeded_client.head(NOWHERE)
    counted = 'method="HEAD",route="/api/v1/books/{book_id}",status="404"'
    assert counted in seeded_client.get("/metrics").text


@pytest.mark.parametrize("method", ["OPTIONS", "PUT"])
@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/health/ready", "GET, HEAD"),
        ("/openapi.json", "GET, HEAD"),
        (NOWHERE, "GET, HEAD, PATCH, DELETE"),
        ("/api/v1/auth/login", "POST"),
    ],
)
def test_allow_names_head_beside_get(
    seeded_client: httpx.Client, method: str, path: str, allowed: str
) -> None:
    answer = seeded_client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


def _stable(answer: httpx.Response) -> dict[str, str]:
    changing = {"date", "x-request-id"}
    # The id of the request is in the body of a problem, and always as long.
    return {name: text for name, text in answer.headers.items() if name not in changing}
