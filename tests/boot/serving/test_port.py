"""The port is reserved before anything else moves, and a taken one is one sentence."""

import errno
import os
import socket
from contextlib import closing

import pytest

from alembic_boot.description import ServePolicy
from alembic_boot.errors import ServingFailedError
from alembic_boot.serving.port import prepare_to_listen, reserved_port
from tests.cluster import free_port


def policy(host: str = "127.0.0.1", port: int = 0) -> ServePolicy:
    return ServePolicy(host, port, reload=False, workers=1)


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def refusal(serve: ServePolicy) -> str:
    with pytest.raises(ServingFailedError) as caught, reserved_port(serve):
        pass
    assert caught.value.exit_status == 11
    return str(caught.value)


def test_the_port_asked_for() -> None:
    """The socket is bound to the address asked for, and closed at the end."""
    port = free_port()
    with reserved_port(policy(port=port)) as listener:
        assert ("127.0.0.1", port) == listener.getsockname()
    assert listener.fileno() == -1


def test_any_free_port() -> None:
    """Port 0 is a free one, another one each time."""
    with reserved_port(policy()) as one, reserved_port(policy()) as other:
        assert 0 not in {one.getsockname()[1], other.getsockname()[1]}
        assert one.getsockname() != other.getsockname()


def test_reserved_is_not_listening() -> None:
    """The boot server listens, or the application; before that, connections are refused."""
    with (
        reserved_port(policy()) as listener,
        closing(socket.socket()) as probe,
        pytest.raises(ConnectionRefusedError),
    ):
        probe.connect(listener.getsockname())


def test_workers_inherit_it() -> None:
    """The socket outlives an exec, so that workers and reloads can serve on it."""
    with reserved_port(policy()) as listener:
        assert os.get_inheritable(listener.fileno())


def test_the_port_is_free_again_at_once() -> None:
    """A port that served a moment ago can be reserved again, with connections still closing."""
    with reserved_port(policy()) as listener:
        prepare_to_listen(listener)
        listener.listen()
        address = listener.getsockname()
        client = socket.create_connection(address)
        server, _ = listener.accept()
        server.close()  # the side that closes first keeps the address in TIME_WAIT
        client.close()
    with reserved_port(policy(port=address[1])) as again:
        assert address == again.getsockname()


def test_a_reserved_port_is_taken() -> None:
    """Of two that reserve a port, neither listening yet, the second is refused at once."""
    with reserved_port(policy()) as first:
        port = first.getsockname()[1]
        assert refusal(policy(port=port)).startswith(f"Port {port} on 127.0.0.1 is taken.")


@pytest.mark.parametrize("listener_host", ["127.0.0.1", "0.0.0.0"])
def test_a_taken_port(listener_host: str) -> None:
    """A port on which something listens is refused with a way out."""
    with socket.create_server((listener_host, 0)) as other:
        port = other.getsockname()[1]
        said = refusal(policy(port=port))
    alternative = port + 1 if port < 65535 else port - 1
    assert (
        f"Port {port} on 127.0.0.1 is taken. Stop what listens there, or choose another: "
        f"`BACKEND_PORT={alternative} inv start`."
    ) == said


def test_the_last_port_of_all() -> None:
    """The way out from port 65535 is a port that exists."""
    try:
        taken = socket.create_server(("127.0.0.1", 65535))
    except OSError:
        pytest.skip("port 65535 is in use on this machine")
    with taken:
        said = refusal(policy(port=65535))
    assert said.endswith("or choose another: `BACKEND_PORT=65534 inv start`.")


ADVICE = "127.0.0.1 serves this machine, 0.0.0.0 every network."


@pytest.mark.parametrize(
    "host",
    [
        "no-such-host.invalid",
        "999.1.1.1",
        "http://127.0.0.1",
        "127.0.0.1:8000",
        "two words",
        "a..b",
        "a" * 64,
    ],
)
def test_a_host_that_is_none(host: str) -> None:
    """A host that does not resolve is one sentence that names the setting."""
    said = refusal(policy(host))
    start = f"BACKEND_HOST={host!r} is not an address to serve on: "
    assert (start, f". {ADVICE}") == (said[: len(start)], said[-len(ADVICE) - 2 :])


def test_an_address_of_another_machine() -> None:
    """An address that is not this machine's cannot be bound, and the cause is told."""
    cause = os.strerror(errno.EADDRNOTAVAIL)
    assert (
        f"Port 8000 on 192.0.2.1 cannot be used: {cause}. Choose another: BACKEND_HOST and "
        "BACKEND_PORT."
    ) == refusal(policy("192.0.2.1", 8000))


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_ipv6() -> None:
    """An IPv6 address is reserved like any other, and a taken port there refused."""
    with reserved_port(policy("::1")) as listener:
        listener.listen()
        host, port, *_ = listener.getsockname()
        assert host == "::1"
        assert f"Port {port} on ::1 is taken." in refusal(policy("::1", port))
