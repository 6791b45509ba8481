"""An ASGI application behind our server, in this process, and raw connections to it."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from alembic_boot.serving.connection import Connection
from alembic_boot.serving.port import prepare_to_listen
from alembic_boot.serving.server import Config, Server
from tests.listening import listens
from tests.waiting import SOON, wait_until

REQUEST = b"GET /first HTTP/1.1\r\nHost: test\r\n\r\n"


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the path and the body of the request."""
    if scope["type"] != "http":
        return
    body, is_over = b"", False
    while not is_over:
        message = await receive()
        body += message.get("body", b"")
        is_over = not message.get("more_body", False)
    answer = scope["path"].encode() + body
    headers = [(b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


@dataclass
class Served:
    """A server that runs in a thread."""

    server: Server
    address: tuple[str, int]

    def connect(self) -> socket.socket:
        """Return a connection that the server has accepted and set up."""
        connection = socket.create_connection(self.address, timeout=SOON)
        address = connection.getsockname()
        wait_until(lambda: any(it.client == address for it in self._connections()))
        return connection

    def connection(self, client: socket.socket) -> Connection:
        """Return the server's end of a connection."""
        [found] = [it for it in self._connections() if it.client == client.getsockname()]
        return found

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of the server."""
        [loop] = {it.loop for it in self._connections()}
        return loop

    def stop(self) -> None:
        """Tell the server to end; return when it listens no more."""
        self.server.should_exit = True
        wait_until(lambda: not listens(self.address))

    def _connections(self) -> list[Connection]:
        connections: set[Any] = self.server.server_state.connections
        return list(connections)


def read_all(connection: socket.socket) -> bytes:
    """Return everything until the server closes the connection."""
    parts = []
    while part := connection.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


@contextmanager
def served(app: Any = echo, **options: Any) -> Iterator[Served]:
    """Serve the application from a thread, and stop in order at the end."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    prepare_to_listen(listener)
    address = listener.getsockname()
    options = {"timeout_graceful_shutdown": 10, **options}
    server = Server(Config(app, log_config=None, lifespan="off", **options))

    def run() -> None:
        with suppress(asyncio.CancelledError):  # Uvicorn's word for requests that it has cancelled
            server.run([listener])

    thread = threading.Thread(target=run, name="server")
    thread.start()
    try:
        # The server says that it has started a moment before it listens.
        listening = (socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        wait_until(lambda: server.started and listener.getsockopt(*listening))
        yield Served(server, address)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
