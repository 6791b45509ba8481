"""The work that one client makes is little at a time, and little altogether."""

from contextlib import ExitStack, closing

import h11
import pytest

from alembic_boot.serving.connection import Connection
from alembic_boot.serving.requests import Requests
from tests.boot.serving.served import REQUEST, read_all, served

POST = b"POST /x HTTP/1.1\r\nHost: test\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
CLIENTS = 10


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the events that are read from what one turn of the event loop brings, in a list."""
    counts: list[int] = []
    data_received = Connection.data_received
    next_event = Requests.next_event

    def begin(connection: Connection, data: bytes) -> None:
        counts.append(0)
        data_received(connection, data)

    def count(
        requests: Requests,
    ) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        counts[-1] += 1
        return next_event(requests)

    monkeypatch.setattr(Connection, "data_received", begin)
    monkeypatch.setattr(Requests, "next_event", count)
    return counts


@pytest.mark.parametrize(
    ("body", "most", "most_in_a_turn"),
    [
        (20_000 * b"1\r\n \r\n", 600, 600),
        (1_000 * (b"100\r\n" + 256 * b" " + b"\r\n") + b"0\r\n\r\n", 2_000, 40),
    ],
    ids=["chunks of a byte", "chunks of 256 bytes"],
)
def test_a_crowd_that_sends_small_chunks(
    turns: list[int], body: bytes, most: int, most_in_a_turn: int
) -> None:
    """Others have their turns meanwhile: a request that comes last is answered."""
    with served() as it, ExitStack() as stack:
        clients = [stack.enter_context(closing(it.connect())) for _ in range(CLIENTS)]
        for client in clients:
            client.sendall(POST + body)
        with closing(it.connect()) as other:
            other.sendall(REQUEST)
            assert other.recv(1000).startswith(b"HTTP/1.1 200 ")
        for client in clients:
            read_all(client)
    assert max(turns) <= most_in_a_turn
    assert sum(turns) <= CLIENTS * most


def test_a_whole_head_is_measured_before_it_is_read() -> None:
    """However much of it is read at a time: h11 itself has a limit for half a head alone."""
    requests = Requests()
    requests.receive_data(b"GET /x HTTP/1.1\r\nHost: test\r\nX: " + 20_000 * b"x" + b"\r\n\r\n")
    assert requests.next_event() is h11.NEED_DATA
    assert requests.refused_with == 431
