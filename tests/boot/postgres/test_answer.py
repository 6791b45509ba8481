"""The hosts that a login is repeated on, and who gave up."""

import socket
from contextlib import closing
from typing import Any

import psycopg2
import pytest

from alembic_boot.postgres.answer import Answer, _Watched, ask, with_known_hosts

LOGINS: dict[str, tuple[dict[str, Any], dict[str, str] | None]] = {
    "no host": ({"dbname": "x"}, {}),
    "a folder": ({"host": "/tmp", "port": 5432}, {}),
    "an address": ({"host": "127.0.0.1"}, {}),
    "a known name": ({"host": "localhost", "port": 1}, {}),
    "its address is given": ({"host": "unknown.invalid", "hostaddr": "127.0.0.1"}, {}),
    "an unknown name": ({"host": "unknown.invalid", "port": 5432}, None),
    "one of two, one port": (
        {"host": "unknown.invalid,127.0.0.1", "port": 5432},
        {"host": "127.0.0.1", "port": "5432"},
    ),
    "one of two, two ports": (
        {"host": "127.0.0.1,unknown.invalid", "port": "1,2"},
        {"host": "127.0.0.1", "port": "1"},
    ),
}


@pytest.fixture(autouse=True)
def _no_name_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Know no name of the domain that exists nowhere, without asking a server."""
    look_up = socket.getaddrinfo

    def known(host: Any, *arguments: Any, **options: Any) -> Any:
        if str(host).endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return look_up(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", known)


@pytest.mark.parametrize(("login", "expected"), LOGINS.values(), ids=LOGINS.keys())
def test_known_hosts(login: dict[str, Any], expected: dict[str, str] | None) -> None:
    """A host whose name has no address is left out."""
    assert with_known_hosts(login) == expected


def test_an_unknown_name_is_not_looked_up_by_libpq(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would keep all other threads from running: also the one that answers probes."""
    monkeypatch.setattr(psycopg2, "connect", lambda **_: pytest.fail("libpq was called"))
    assert ask({"host": "unknown.invalid"}, 1) == Answer()


def test_a_connection_to_itself() -> None:
    """The kernel may give a connection to a closed port that very port: nobody answered there."""
    with closing(_Watched()) as watched, socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        own.connect(own.getsockname())
        watched.look_at(own)  # type: ignore[arg-type]
        assert not watched.goes_on
        with socket.socket() as listener, socket.socket() as other:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            other.connect(listener.getsockname())
            watched.look_at(other)  # type: ignore[arg-type]
            assert watched.goes_on
