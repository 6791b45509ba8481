"""A look at a port is over soon, whatever the system does with the connection request."""

import socket
import sys
from contextlib import ExitStack

import pytest

from tests.listening import listens
from tests.waiting import soon


def test_a_listener_is_seen_until_it_is_closed() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        address = listener.getsockname()
        assert listens(address)
    assert not listens(address)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse what is too much")
def test_a_request_that_the_system_drops_is_not_waited_for() -> None:
    """A full queue drops it, as a listener does that is being closed; its retries take minutes."""
    with socket.socket() as listener, ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(2):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        with pytest.raises(TimeoutError):
            socket.create_connection(address, timeout=0.1)
        with soon():
            assert listens(address)
