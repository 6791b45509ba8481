"""A listener that stops has set up every connection that was made before."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from alembic_boot.serving.accepting import Acceptor
from tests.waiting import SOON

CLIENTS = 200


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        yield listener


def anybody(count: int, _now: float) -> int:
    """Return that so many connections may come as may want to."""
    return count


class Greeting(asyncio.Protocol):
    """Greets the client, and closes the connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(b"hello")
        transport.close()


def test_connections_in_the_queue_are_accepted(listener: socket.socket) -> None:
    """The event loop runs again only when all clients have connected and the listener stops."""

    async def scenario() -> None:
        acceptor = Acceptor(listener, Greeting, anybody)
        acceptor.start(2 * CLIENTS)
        with ExitStack() as stack:
            clients = [
                stack.enter_context(closing(socket.create_connection(address, SOON)))
                for _ in range(CLIENTS)
            ]
            await acceptor.stop()
            assert [it.recv(10) for it in clients] == CLIENTS * [b"hello"]

    address = listener.getsockname()
    asyncio.run(scenario())
    with socket.socket() as late:
        assert late.connect_ex(address) != 0


def test_a_stop_is_final(listener: socket.socket) -> None:
    """A second one finds nothing to do."""

    async def scenario() -> None:
        acceptor = Acceptor(listener, Greeting, anybody)
        acceptor.start(1)
        await acceptor.stop()
        await acceptor.stop()

    asyncio.run(scenario())
