"""Bytes that are no proper request, or one that two servers may read in two ways."""

import json
import logging
from collections.abc import Iterator
from contextlib import closing

import pytest

from alembic_boot.serving import connection
from alembic_boot.serving.open_connections import Episodes
from tests.boot.serving.served import REQUEST, Served, read_all, served

HOST = b"Host: test\r\n"
CLOSE = b"Connection: close\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served() as server:
        yield server


def post(*headers: bytes, body: bytes = b"") -> bytes:
    return b"POST /x HTTP/1.1\r\n" + HOST + CLOSE + b"".join(headers) + b"\r\n" + body


REFUSED = {
    "length and chunks": (400, post(b"Content-Length: 4\r\n", CHUNKED, body=b"0\r\n\r\n")),
    "chunks and length": (400, post(CHUNKED, b"Content-Length: 4\r\n", body=b"0\r\n\r\n")),
    "two lengths": (400, post(b"Content-Length: 1\r\n", b"Content-Length: 2\r\n", body=b"12")),
    "two lengths in one": (400, post(b"Content-Length: 1, 2\r\n", body=b"12")),
    "a length with a sign": (400, post(b"Content-Length: +1\r\n", body=b"1")),
    "a negative length": (400, post(b"Content-Length: -1\r\n")),
    "a length that is no number": (400, post(b"Content-Length: 0x1\r\n", body=b"1")),
    "another coding": (501, post(b"Transfer-Encoding: gzip\r\n")),
    "another coding before chunks": (501, post(b"Transfer-Encoding: gzip, chunked\r\n")),
    "two codings": (501, post(CHUNKED, CHUNKED, body=b"0\r\n\r\n")),
    "a hidden coding": (501, post(b"Transfer-Encoding: xchunked\r\n")),
    "a chunk of no size": (400, post(CHUNKED, body=b"z\r\n\r\n")),
    "a chunk that is longer than its size": (400, post(CHUNKED, body=b"1\r\n12\r\n0\r\n\r\n")),
    "a space before the colon": (400, post(b"Content-Length : 1\r\n", body=b"1")),
    "a space before the first header": (400, b"GET /x HTTP/1.1\r\n " + HOST + b"\r\n"),
    "a header without a name": (400, post(b": 1\r\n")),
    "a zero byte in a header": (400, post(b"X: a\0b\r\n")),
    "a lone carriage return": (400, post(b"X: a\rContent-Length: 1\r\n")),
    "no host": (400, b"GET /x HTTP/1.1\r\n\r\n"),
    "two hosts": (400, b"GET /x HTTP/1.1\r\n" + HOST + HOST + b"\r\n"),
    "HTTP/2's beginning": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    "a space in the target": (400, b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a head without an end": (431, b"GET /x HTTP/1.1\r\nX: " + 20_000 * b"x"),
    "a head of more than 16 KiB": (431, post(b"X: " + (16 << 10) * b"x" + b"\r\n")),
    "a query of more than 16 KiB": (
        431,
        b"GET /x?" + 30_000 * b"a&" + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    ),
    "more than 100 headers": (431, post(*99 * [b"X:\r\n"])),
    "many headers": (431, post(*16_000 * [b"X:\r\n"])),
    "many headers without an end": (431, b"GET /x HTTP/1.1\r\n" + 101 * b"X:\r\n"),
    "more than 100 trailers": (431, post(CHUNKED, body=b"0\r\n" + 101 * b"X:\r\n" + b"\r\n")),
    "many trailers without an end": (431, post(CHUNKED, body=b"0\r\n" + 3_000 * b"X:\r\n")),
    "a long line before a chunk": (431, post(CHUNKED, body=b"1;x=" + 20_000 * b"x")),
    "many chunks of a byte": (413, post(CHUNKED, body=20_000 * b"1\r\n \r\n")),
    "many chunks of little": (413, post(CHUNKED, body=2_000 * (b"40\r\n" + 64 * b" " + b"\r\n"))),
}


@pytest.mark.parametrize(("status", "sent"), REFUSED.values(), ids=REFUSED)
def test_it_is_refused(server: Served, status: int, sent: bytes) -> None:
    """The answer is a problem with the headers of all answers, and ends the connection."""
    with closing(server.connect()) as client:
        client.sendall(sent)
        head, _, body = read_all(client).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    for header in (
        b"connection: close",
        b"content-type: application/problem+json",
        b"X-Content-Type-Options: nosniff",
        b"Referrer-Policy: no-referrer",
    ):
        assert header.lower() in head.lower()
    assert json.loads(body)["status"] == status


SERVED = {
    "a head of almost 16 KiB": (post(b"X: " + 16_000 * b"x" + b"\r\n"), b"/x"),
    "100 headers": (post(*98 * [b"X:\r\n"]), b"/x"),
    "100 trailers": (post(CHUNKED, body=b"0\r\n" + 100 * b"X:\r\n" + b"\r\n"), b"/x"),
    "500 chunks of a byte": (
        post(CHUNKED, body=500 * b"1\r\nx\r\n" + b"0\r\n\r\n"),
        b"/x" + 500 * b"x",
    ),
    "many chunks of 256 bytes": (
        post(CHUNKED, body=2_000 * (b"100\r\n" + 256 * b"x" + b"\r\n") + b"0\r\n\r\n"),
        b"/x" + 2_000 * 256 * b"x",
    ),
    "the same length twice": (
        post(b"Content-Length: 1\r\n", b"Content-Length: 1\r\n", body=b"1"),
        b"/x1",
    ),
    "chunks": (post(CHUNKED, body=b"2;x=y\r\n12\r\n0\r\nTrailer: a\r\n\r\n"), b"/x12"),
    "chunks, written otherwise": (
        post(b"TRANSFER-ENCODING: Chunked\r\n", body=b"1\r\n1\r\n0\r\n\r\n"),
        b"/x1",
    ),
    # RFC 9112, 5.2: a server refuses it, or takes the fold for a space as h11 does.
    "a header on two lines": (post(b"X: a\r\n b\r\n", b"Content-Length: 1\r\n", body=b"1"), b"/x1"),
    "a host in the path": (b"GET //host/x HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", b"//host/x"),
    "a whole URL": (
        b"GET http://other/x HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n",
        b"http://other/x",
    ),
    "an upgrade": (
        b"GET /x HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade, close\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        + HOST
        + b"\r\n",
        b"/x",
    ),
}


@pytest.mark.parametrize(("sent", "answer"), SERVED.values(), ids=SERVED)
def test_it_is_served(server: Served, sent: bytes, answer: bytes) -> None:
    with closing(server.connect()) as client:
        client.sendall(sent)
        head, _, body = read_all(client).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert body == answer


def test_garbage_is_one_line_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, server: Served
) -> None:
    """However much of it comes; an upgrade that is not made is none at all."""
    monkeypatch.setattr(connection, "_unreadable", Episodes(60))
    for sent in (b"garbage\r\n\r\n", b"more\r\n\r\n", SERVED["an upgrade"][0]):
        with closing(server.connect()) as client:
            client.sendall(sent)
            read_all(client)
    assert [it.message for it in caplog.records if it.levelno >= logging.WARNING] == [
        "A client sent an invalid HTTP/1.1 request: refused (400)"
    ]


@pytest.mark.parametrize("name", ["a head of more than 16 KiB", "more than 100 headers"])
def test_a_second_request_has_the_same_limits(server: Served, name: str) -> None:
    """Also if it comes with the first one, which is answered."""
    status, sent = REFUSED[name]
    with closing(server.connect()) as client:
        client.sendall(REQUEST + sent)
        answer = read_all(client)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1 ") == 2
    assert b"HTTP/1.1 %d " % status in answer


def test_the_connection_does_not_serve_what_follows(server: Served) -> None:
    """Bytes that another server takes for the rest of a body are no request here."""
    smuggled = b"GET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n"
    sent = b"POST /x HTTP/1.1\r\n" + HOST + CHUNKED + b"Content-Length: 60\r\n\r\n0\r\n\r\n"
    with closing(server.connect()) as client:
        client.sendall(sent + smuggled)
        answer = read_all(client)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"smuggled" not in answer
