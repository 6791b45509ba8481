import json
import socket
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from backend.main import create_app
from tests.api.application_settings import settings_for
from tests.api.people import sign_up
from tests.api.server import serving
from tests.cluster import Cluster
from tests.waiting import SOON

MOST = 2000
LOGIN = "/api/v1/auth/login"
JSON = {"Content-Type": "application/json"}


def body(size: int) -> bytes:
    """Return a body of that size, which is right but for there being nobody of this name."""
    empty = {"email": "a@example.org", "password": "some-password", "more": ""}
    return json.dumps({**empty, "more": "x" * (size - len(json.dumps(empty)))}).encode()


@pytest.fixture(scope="module")
def limited(cluster: Cluster, seeded_template: str) -> Iterator[httpx.Client]:
    """Give a client of an application that takes little."""
    with cluster.database(seeded_template) as name:
        settings = settings_for(cluster.url(name), MAX_BODY_BYTES=str(MOST))
        with serving(create_app(settings)) as client:
            yield client


def in_chunks(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), 500):
        yield content[start : start + 500]


@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
def test_what_is_too_large_is_refused(limited: httpx.Client, chunked: bool) -> None:
    """By one byte, whether the size is declared or not; what just fits is read."""
    for size, status in ((MOST, 422), (MOST + 1, 413), (50 * MOST, 413), (MOST, 422)):
        content = body(size)
        answer = limited.post(
            LOGIN, content=in_chunks(content) if chunked else content, headers=JSON
        )
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert ("connection" in answer.headers) == (status == 413)
        if status == 413:
            assert answer.json()["type"] == "urn:moriai:problem:too-large"
            assert str(MOST) in answer.json()["detail"]


@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
def test_a_body_that_nobody_reads_is_refused_as_well(limited: httpx.Client, chunked: bool) -> None:
    """Whatever the method: and then nothing was done."""
    person = sign_up(limited)
    path = f"/api/v1/books/{person.make('books')['id']}"

    def status(method: str, size: int) -> int:
        content = b"x" * size
        sent = in_chunks(content) if chunked else content
        return limited.request(method, path, content=sent, headers=person.headers).status_code

    for method in ("GET", "DELETE", "OPTIONS"):
        assert status(method, MOST + 1) == status(method, 50 * MOST) == 413
    assert status("GET", MOST) == 200
    assert status("DELETE", MOST) == 204
    assert status("GET", 0) == 404


def test_a_mebibyte_by_default(seeded_url: str) -> None:
    """And 8 KiB of what is about an account, so that no padded login takes a big body's place."""
    with serving(create_app(settings_for(seeded_url))) as client:

        def statuses(path: str, size: int) -> list[int]:
            return [
                client.post(path, content=body(size + more), headers=JSON).status_code
                for more in (0, 1)
            ]

        assert statuses("/api/v1/books", 1 << 20) == [401, 413]
        assert statuses(LOGIN, 8 << 10) == [422, 413]


def answer_to(client: httpx.Client, *parts: bytes) -> bytes:
    """Return everything that comes back before the server closes the connection."""
    address = (client.base_url.host, client.base_url.port or 0)
    with closing(socket.create_connection(address, timeout=SOON)) as connection:
        for part in parts:
            connection.sendall(part)
        return b"".join(iter(lambda: connection.recv(65536), b""))


HEAD = f"POST {LOGIN} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode()


def test_the_answer_is_not_lost_to_who_sends_on(limited: httpx.Client) -> None:
    """A client that sends all of it before it reads gets the answer, not a reset connection."""
    size = 20_000_000
    found = answer_to(limited, HEAD + f"Content-Length: {size}\r\n\r\n".encode(), b"x" * size)
    assert found.startswith(b"HTTP/1.1 413 ")
    assert found.endswith(b"}")


@pytest.mark.slow
def test_who_sends_nothing_more_is_not_waited_for(limited: httpx.Client) -> None:
    """The answer is there at once, and the connection is closed soon."""
    found = answer_to(limited, HEAD + b"Content-Length: 100000\r\n\r\n", b"x")
    assert found.startswith(b"HTTP/1.1 413 ")
    found = answer_to(
        limited, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"bb8\r\n" + b"x" * 3000
    )
    assert found.startswith(b"HTTP/1.1 413 ")


@pytest.mark.slow
@pytest.mark.parametrize(
    "start", ["POST /nothing", "PUT /health/live", "DELETE /docs", "GET /docs"]
)
def test_a_length_that_is_too_large_is_refused_unread(limited: httpx.Client, start: str) -> None:
    """Whatever the method is, and where nothing would be read."""
    head = f"{start} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
    assert answer_to(limited, head.encode()).startswith(b"HTTP/1.1 413 ")


@pytest.mark.slow
def test_who_asks_first_sends_nothing(limited: httpx.Client) -> None:
    """A client that waits for leave is told no, and never told to go on."""
    found = answer_to(limited, HEAD + b"Content-Length: 100000\r\nExpect: 100-continue\r\n\r\n")
    assert found.startswith(b"HTTP/1.1 413 ")
