"""A server that goes mute after the login: it holds nothing up for ever."""

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster import OWNER, PASSWORD, Cluster
from tests.scenarios.process import project, run

pytestmark = pytest.mark.slow


@contextmanager
def mute_after_login(port: int) -> Iterator[int]:
    """Give the port of a proxy that passes a login on and nothing from the first query on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:  # the listener was closed: the test is over
                    return
                threading.Thread(target=_pass_on, args=(client, port), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)


def _pass_on(client: socket.socket, port: int) -> None:
    with client, socket.create_connection(("127.0.0.1", port)) as server:
        selector = selectors.DefaultSelector()
        selector.register(client, selectors.EVENT_READ, server)
        selector.register(server, selectors.EVENT_READ, client)
        while True:
            for key, _ in selector.select():
                data = client.recv(65536) if key.fileobj is client else server.recv(65536)
                if not data:
                    return
                # A message of the simple query protocol begins with Q.
                if key.fileobj is client and data.startswith(b"Q"):
                    while client.recv(65536):
                        pass
                    return
                key.data.sendall(data)


def test_the_wait_ends_in_time(tmp_path: Path, cluster: Cluster, database: str) -> None:
    """A login whose first query gets no answer is one that has not succeeded."""
    with mute_after_login(cluster.port) as port:
        url = f"postgresql://{OWNER}:{PASSWORD}@127.0.0.1:{port}/{database}"
        finished = run(project(tmp_path), "wait-db", DATABASE_URL=url, DB_WAIT_TIMEOUT="2")
    assert finished.status == 3
    assert "was not reachable within 2 s: no answer within" in finished.stderr[-1]
