"""A server that speaks PostgreSQL's protocol as far as a test says."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from alembic_boot.postgres.urls import DatabaseUrl, parse_database_url


@contextmanager
def fake_server(meet: Callable[[socket.socket], None]) -> Iterator[DatabaseUrl]:
    """Give the URL of a server that meets each client, one after the other, in this way."""

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            meet(client)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            port = listener.getsockname()[1]
            options = "sslmode=disable&gssencmode=disable"
            yield parse_database_url(f"postgresql://u:p@127.0.0.1:{port}/d?{options}")
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
