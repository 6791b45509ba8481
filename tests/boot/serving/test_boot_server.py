"""The boot server on a real socket: slow and silent clients, and the handover."""

import asyncio
import json
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from multiprocessing import Pipe
from typing import Any

import pytest

from alembic_boot.serving import boot_server
from alembic_boot.serving.boot_answers import answer
from alembic_boot.serving.boot_clients import Clients
from alembic_boot.serving.boot_server import BootServer, answering, showing_status, take_over
from alembic_boot.serving.port import prepare_to_listen
from alembic_boot.serving.status_answers import StatusAnswers
from alembic_boot.situation import begin_boot
from tests.boot.serving.served import read_all
from tests.waiting import LONG, SOON, soon, wait_until

LIVE = b"GET /health/live HTTP/1.1\r\nHost: test\r\n\r\n"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Give a socket that is bound and does not listen."""
    begin_boot()
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound


@pytest.fixture
def server(listener: socket.socket) -> Iterator[BootServer]:
    """Give a boot server that answers."""
    with answering(listener) as it:
        wait_until(lambda: listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
        yield it


def connect(server: BootServer) -> "closing[socket.socket]":
    return closing(socket.create_connection(server.listener.getsockname(), timeout=SOON))


def ask(server: BootServer, request: bytes = LIVE) -> bytes:
    """Return the whole answer."""
    with connect(server) as client:
        client.sendall(request)
        return read_all(client)


def body_of(answer: bytes) -> dict[str, object]:
    found: dict[str, object] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return found


def test_an_answer_that_fails(
    server: BootServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The others still have theirs, and the log is not flooded."""
    with monkeypatch.context() as patched:
        patched.setattr(boot_server, "answer", lambda *_: 1 / 0)
        assert ask(server).startswith(b"HTTP/1.1 500 ")
        assert ask(server).startswith(b"HTTP/1.1 500 ")
    assert ask(server).startswith(b"HTTP/1.1 200 ")
    assert caplog.text.count("could not answer a request: ZeroDivisionError") == 1


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> StatusAnswers:
    """Give a status page that collects nothing before it may."""
    found = StatusAnswers("books", None, ("127.0.0.1", 0, "/ready"))
    monkeypatch.setattr(found, "may_collect", threading.Event(), raising=False)
    collect = found._collect

    def collected(keys: Any) -> Any:
        assert found.may_collect.wait(SOON)  # type: ignore[attr-defined]
        return collect(keys)

    monkeypatch.setattr(found, "_collect", collected)
    return found


PAGE = b"GET /_boot HTTP/1.1\r\nHost: test\r\nAccept: text/html\r\n\r\n"


def test_a_first_look(
    listener: socket.socket, page: StatusAnswers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for the collector, and others are answered meanwhile."""
    monkeypatch.setattr("alembic_boot.serving.status_answers._PATIENCE", LONG)
    with answering(listener, page=page) as server, ExitStack() as stack:
        wait_until(lambda: listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
        clients = [stack.enter_context(connect(server)) for _ in range(300)]
        for client in clients:
            client.sendall(PAGE)
        assert ask(server).startswith(b"HTTP/1.1 200 ")
        wait_until(lambda: len(select.select(clients, [], [], 0)[0]) == 100)
        page.may_collect.set()  # type: ignore[attr-defined]
        found = [read_all(it) for it in clients]
        assert [it[9:12] for it in found].count(b"200") == 200
        assert all(b"The service is starting" in it for it in found if it[9:12] == b"503")


@pytest.mark.slow
def test_a_look_that_takes_too_long(listener: socket.socket, page: StatusAnswers) -> None:
    """The client gets another answer, which claims nothing about the service."""
    with showing_status(listener, page):
        wait_until(lambda: listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
        with closing(socket.create_connection(listener.getsockname(), timeout=SOON)) as client:
            client.sendall(PAGE)
            found = read_all(client)
        page.may_collect.set()  # type: ignore[attr-defined]
    assert found.startswith(b"HTTP/1.1 503 ")
    assert b"Refresh: 1" in found
    assert b"unavailable" not in found


def test_a_connection_that_is_kept(server: BootServer) -> None:
    """The client is told of the close; what it sent behind its request is not answered."""
    found = ask(server, 2 * LIVE)
    assert found.count(b"HTTP/1.1 200 OK\r\n") == 1
    assert b"\r\nConnection: close\r\n" in found


def test_a_request_in_pieces(server: BootServer) -> None:
    with connect(server) as client:
        for byte in LIVE:
            client.sendall(bytes([byte]))
        assert read_all(client).startswith(b"HTTP/1.1 200 ")


def test_empty_lines_before_a_request(server: BootServer) -> None:
    """They are ignored (RFC 9112, 2.2), and do not make its head longer."""
    assert ask(server, 20_000 * b"\r\n" + LIVE).startswith(b"HTTP/1.1 200 ")


def test_half_a_request(server: BootServer) -> None:
    """A client that closes before its request is complete harms nothing."""
    with connect(server) as client:
        client.sendall(LIVE[:-2])
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b""
    assert ask(server).startswith(b"HTTP/1.1 200 ")


def test_a_head_without_an_end(server: BootServer) -> None:
    assert ask(server, b"GET / HTTP/1.1\r\nX: " + 20_000 * b"x").startswith(b"HTTP/1.1 431 ")


def test_a_thousand_silent_clients(server: BootServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe has its answer while all of them are still connected."""
    monkeypatch.setattr("alembic_boot.serving.boot_clients._TIME_FOR_HEAD", LONG)
    with ExitStack() as stack:
        for _ in range(1000):
            stack.enter_context(connect(server))
        assert ask(server).startswith(b"HTTP/1.1 200 ")
        assert server._clients is not None
        assert len(server._clients) >= 1000


def test_a_big_body(server: BootServer) -> None:
    """Its client gets the answer, and no reset although the body is still on its way."""
    size = 1 << 20
    head = f"POST /x HTTP/1.1\r\nHost: test\r\nContent-Length: {size}\r\n\r\n"
    with connect(server) as client:
        client.sendall(head.encode())
        client.sendall(size * b"x")
        found = read_all(client)
    assert found.startswith(b"HTTP/1.1 503 ")
    assert body_of(found)["status"] == 503


def test_a_client_that_sends_all_the_time(
    server: BootServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one has its answer meanwhile."""
    monkeypatch.setattr("alembic_boot.serving.boot_clients._TIME_TO_TAKE", LONG)
    # The server reads more slowly than the client sends.
    monkeypatch.setattr("alembic_boot.serving.boot_clients._PIECE", len(LIVE))
    ends = threading.Event()

    def send() -> None:
        with connect(server) as client, suppress(OSError):
            client.sendall(LIVE)
            while not ends.is_set():
                client.sendall((1 << 20) * b"x")

    sending = threading.Thread(target=send)
    sending.start()
    try:
        wait_until(lambda: server._clients)
        assert ask(server).startswith(b"HTTP/1.1 200 ")
        assert sending.is_alive()
    finally:
        ends.set()
        sending.join()


def test_a_client_that_does_not_read(server: BootServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is closed after a while, and no other client waits for it."""
    monkeypatch.setattr("alembic_boot.serving.boot_clients._TIME_TO_TAKE", 0.2)
    with connect(server) as client:
        client.sendall(LIVE)
        assert ask(server).startswith(b"HTTP/1.1 200 ")
        wait_until(lambda: not server._clients)
        assert read_all(client).startswith(b"HTTP/1.1 200 ")


def test_a_client_that_sends_nothing(server: BootServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is closed after a while."""
    monkeypatch.setattr("alembic_boot.serving.boot_clients._TIME_FOR_HEAD", 0.2)
    with connect(server) as client:
        assert read_all(client) == b""


def test_the_end(server: BootServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that has come is answered, and a silent client holds nothing up for long."""
    monkeypatch.setattr("alembic_boot.serving.boot_clients._TIME_FOR_HEAD", LONG)
    with connect(server) as silent, connect(server) as client:
        client.sendall(LIVE)
        with soon():
            server.stop()
        assert read_all(client).startswith(b"HTTP/1.1 200 ")
        assert read_all(silent) == b""
    server.stop()  # does nothing


def test_clients_that_come_at_the_end(server: BootServer) -> None:
    """As long as the port is open, a request gets its answer, though a client holds the end up."""
    answers: list[bytes] = []
    with connect(server):
        ending = threading.Thread(target=server.stop)
        ending.start()
        for _ in range(5):
            with connect(server) as client:
                client.sendall(LIVE)
                answers.append(read_all(client))
        ending.join()
    assert all(it.startswith(b"HTTP/1.1 200 ") for it in answers)


@pytest.mark.slow
def test_clients_that_come_all_the_time_do_not_delay_the_end(
    server: BootServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is an open connection at any moment, and the server ends all the same."""
    end_all, is_over = Clients.end_all, threading.Event()
    with ExitStack() as clients:

        def come() -> None:
            client = clients.enter_context(connect(server))
            client.sendall(LIVE)

        def end_as_the_next_comes(ended: Clients) -> None:
            end_all(ended)
            come()

        async def answer_as_the_next_comes(*arguments: Any) -> bytes:
            await asyncio.sleep(0.05)
            if not is_over.is_set():
                come()
            return await answer(*arguments)

        monkeypatch.setattr(Clients, "end_all", end_as_the_next_comes)
        monkeypatch.setattr(boot_server, "answer", answer_as_the_next_comes)
        come()
        end = threading.Thread(target=server.stop)
        end.start()
        end.join(SOON)
        has_ended = not end.is_alive()
        is_over.set()
        end.join()
    assert has_ended


def test_the_handover(server: BootServer) -> None:
    """An accepted connection is answered; the next one waits for the application."""
    with connect(server) as early:
        wait_until(lambda: server._clients)
        server.hand_over()
        with connect(server) as late:
            late.sendall(LIVE)
            early.sendall(LIVE)
            assert read_all(early).startswith(b"HTTP/1.1 200 ")
            accepted, _ = server.listener.accept()
            with accepted:
                assert accepted.recv(1000) == LIVE
                accepted.sendall(b"from the application")
            assert read_all(late) == b"from the application"
    server.hand_over()  # does nothing


def test_the_handover_to_another_process(server: BootServer) -> None:
    """After it has asked for the port, nothing is accepted here; a second one need not wait."""
    ours, theirs = Pipe()
    with theirs:
        server.hand_over_to(ours)
        assert ask(server).startswith(b"HTTP/1.1 200 ")
        for _ in range(2):
            take_over(theirs)
            assert theirs.poll(), "the boot server has closed its end"
            with connect(server):
                server.listener.settimeout(SOON)
                server.listener.accept()[0].close()


def test_a_handover_before_it_began(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quick boot pays nothing: the socket does not even listen."""
    monkeypatch.setattr(boot_server, "_age", lambda: 0.0)
    monkeypatch.setattr(boot_server, "_BEGIN", SOON)
    with answering(listener) as server:
        server.hand_over()
        assert not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)


def test_a_port_that_another_process_listens_on(listener: socket.socket) -> None:
    """The boot goes on: the server reports it when it is to listen. No handover hangs."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with socket.socket() as other:
        prepare_to_listen(other)
        other.bind(listener.getsockname())
        other.listen()
        with answering(listener) as server:
            server.hand_over()
            ours, theirs = Pipe()
            with theirs:
                server.hand_over_to(ours)
                take_over(theirs)
