"""The status page as an ASGI application, behind our server and with streams of events."""

import socket
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace

import pytest

from alembic_boot.status_page.asgi import StatusApp
from alembic_boot.status_page.collector import Collector
from alembic_boot.status_page.report import Found, Key
from tests.boot.serving.served import read_all, served
from tests.boot.status_page.reports import READY
from tests.waiting import LONG, SOON


@dataclass
class Site:
    """A page whose report a test changes."""

    address: tuple[str, int] = ("", 0)
    report: Found = READY
    is_ending: bool = False
    collections: int = 0

    def collect(self, keys: Collection[Key]) -> dict[Key, Found]:
        self.collections += 1
        return {key: self.report if isinstance(key, int) else None for key in keys}

    def open(self, path: str, method: str = "GET", *headers: str) -> socket.socket:
        connection = socket.create_connection(self.address, timeout=SOON)
        lines = [f"{method} {path} HTTP/1.1", "Host: test", "Connection: close", *headers, "", ""]
        connection.sendall("\r\n".join(lines).encode())
        return connection

    def ask(self, path: str, method: str = "GET", *headers: str) -> str:
        with closing(self.open(path, method, *headers)) as connection:
            return read_all(connection).decode()


@contextmanager
def showing(interval: float = 0.1) -> Iterator[Site]:
    """Show the page; collect at most once in so many seconds."""
    site = Site()
    collector = Collector(site.collect, interval=interval)
    with closing(collector), served(StatusApp(collector, lambda _: site.is_ending)) as server:
        site.address = server.address
        yield site


def until(connection: socket.socket, text: bytes) -> bytes:
    """Return what has come, when it has this text."""
    found = b""
    while text not in found:
        piece = connection.recv(1 << 16)
        assert piece, found
        found += piece
    return found


def test_pages() -> None:
    with showing() as site:
        assert site.ask("/_boot").startswith("HTTP/1.1 200 OK")
        head, _, body = site.ask("/_boot", "HEAD").partition("\r\n\r\n")
        assert "content-length" in head
        assert body == ""
        assert site.ask("/_boot/revisions/zz").startswith("HTTP/1.1 404 ")
        assert site.ask("/_boot", "DELETE").startswith("HTTP/1.1 405 ")


def test_a_stream() -> None:
    """It tells of a change, and ends when the server is about to stop."""
    with showing() as site, closing(site.open("/_boot/events")) as stream:
        until(stream, b"id: ")
        site.report = replace(READY, reason="news")
        until(stream, b"data: changed")
        site.is_ending = True
        assert b"data" not in read_all(stream)
        assert site.ask("/_boot").startswith("HTTP/1.1 503 ")


def test_a_stream_that_goes_on() -> None:
    """A client that has seen another report is told at once, whoever sent that."""
    with showing() as site, closing(site.open("/_boot/events", "GET", "Last-Event-ID: x")) as one:
        until(one, b"data: changed")


def test_too_many_streams() -> None:
    """The next one is refused, and may ask again."""
    with showing() as site, ExitStack() as stack:
        for _ in range(20):
            until(stack.enter_context(closing(site.open("/_boot/events"))), b"id: ")
        assert site.ask("/_boot/events").startswith("HTTP/1.1 503 ")


@pytest.mark.slow
def test_a_crowd() -> None:
    """All are answered from what is drawn once, and others meanwhile."""
    with showing(interval=LONG) as site, ExitStack() as stack:
        site.ask("/_boot")
        crowd = [stack.enter_context(closing(site.open("/_boot"))) for _ in range(300)]
        assert site.ask("/_boot/other").startswith("HTTP/1.1 404 ")
        assert all(read_all(it).startswith(b"HTTP/1.1 200 ") for it in crowd)
        assert site.collections == 1
