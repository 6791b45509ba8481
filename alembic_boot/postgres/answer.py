"""Repeat a failed login to learn its SQLSTATE, which side gave up, and what that means.

psycopg2 has no SQLSTATE for a failed login, and the server's message may be in any language. libpq
can write the code into its message. That setting is possible on a connection that is being made
asynchronously: psycopg2 gives the address of libpq's own object for such purposes.
"""

import ctypes
import os
import re
import select
import socket
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from typing import Any

import psycopg2
from psycopg2 import _psycopg
from psycopg2.extensions import POLL_OK, POLL_READ, connection as Connection

from alembic_boot.postgres.message import causes

_VERBOSE = 2
"""libpq's PQERRORS_VERBOSE."""

_CODED = re.compile(r":  (?P<code>[0-9A-Z]{5}): ")
"""The code in such a message, after the severity, which may be a word of any language."""


class Refusal(Enum):
    """The consequence of a failed login for a waiting process."""

    NOT_YET = "not yet"
    LOGIN = "login refused"
    DATABASE_MISSING = "database missing"
    BY_POOLER = "refused for whatever a pooler has but one code for"


# By the first characters of the SQLSTATE. All others may pass: a server that starts or stops
# (57P03), too many connections (53300), a database that accepts none for now (55000).
_MEANINGS: dict[str, Refusal] = {
    "3D000": Refusal.DATABASE_MISSING,
    "28": Refusal.LOGIN,  # the role, its password, pg_hba.conf, a certificate
    "42": Refusal.LOGIN,  # no right to connect, no such setting among the options
    "22": Refusal.LOGIN,  # a setting with a wrong value
    "0A": Refusal.LOGIN,  # something that this server does not have
}

# PgBouncer has one code for all of its own refusals, and for those that it passes on from a server.
# Its own messages are the same everywhere, because PgBouncer is not translated.
_POOLERS = "08P01"
_POOLER_REFUSES = re.compile(
    r"no such user(: .*)?|auth failed|(\S+ )?authentication failed|(SSL|TLS \w+( \w+)?) required"
    r"|not allowed"
)
_POOLER_KNOWS_NO_DATABASE = re.compile(r"no such database(: .*)?")


@dataclass(frozen=True)
class Answer:
    """The outcome of a login."""

    code: str = ""
    """SQLSTATE of the refusal by the server or a pooler; empty if there was none."""
    sentence: str = ""
    """Message of the refusal, in its own language."""
    libpq_gave_up: bool = False
    """Whether the server would have continued, but libpq refused its answer."""
    is_good: bool = False
    """Whether the login worked."""
    is_late: bool = False
    """Whether no answer came in time, neither good nor bad."""

    @property
    def is_poolers(self) -> bool:
        """Return whether a pooler gave the answer."""
        return self.code == _POOLERS


def meaning(answer: Answer) -> Refusal:
    """Return the meaning of an answer by its code; for an unknown answer, waiting may help."""
    if not answer.code:
        return Refusal.LOGIN if answer.libpq_gave_up else Refusal.NOT_YET
    if answer.is_poolers:
        if _POOLER_REFUSES.fullmatch(answer.sentence):
            return Refusal.LOGIN
        if _POOLER_KNOWS_NO_DATABASE.fullmatch(answer.sentence):
            return Refusal.DATABASE_MISSING
        return Refusal.BY_POOLER
    found = (it for code, it in _MEANINGS.items() if answer.code.startswith(code))
    return next(found, Refusal.NOT_YET)


def ask(login: Mapping[str, Any], timeout: float) -> Answer:
    """Return the result of a login now, within `timeout` seconds."""
    hosts = with_known_hosts(login)
    if hosts is None:
        return Answer()
    with closing(_Watched()) as watched:
        try:
            arguments: dict[str, Any] = {**login, **hosts, "async_": True}
            with closing(psycopg2.connect(**arguments)) as connection:
                _have_codes(connection)
                is_good = _finish(connection, watched, time.monotonic() + timeout)
                return Answer(is_good=is_good, is_late=not is_good)
        except UnicodeDecodeError as error:  # a message in the server's own encoding
            said = error.object.decode(errors="replace")
        except psycopg2.Error as error:
            said = str(error)
        # libpq stops at the first server that refuses for good.
        coded = [(line, found) for line in causes(said) if (found := _CODED.search(line))]
        if not coded:
            return Answer(libpq_gave_up=watched.goes_on)
        line, found = coded[-1]
        return Answer(found["code"], line[found.end() :].rstrip("."))


def with_known_hosts(login: Mapping[str, Any]) -> dict[str, str] | None:
    """Return the hosts and ports of a login whose names have an address; None if no name has one.

    To look a name up may take many seconds. An asynchronous connect of psycopg2 lets no other
    thread run meanwhile, and a probe waits for its answer. Python's own look-up does.
    """
    if "hostaddr" in login or not login.get("host"):
        return {}
    hosts, ports = str(login["host"]).split(","), str(login.get("port", "")).split(",")
    if len(ports) == 1:
        ports *= len(hosts)
    known = [pair for pair in zip(hosts, ports, strict=False) if _is_known(pair[0])]
    if not known:
        return None
    if len(known) == len(hosts):
        return {}
    return {"host": ",".join(it for it, _ in known), "port": ",".join(it for _, it in known)}


def _is_known(host: str) -> bool:
    """Return whether a host has an address. An empty name, and a path, are no names to look up."""
    if not host or host.startswith(("/", "@")):
        return True
    try:
        return bool(socket.getaddrinfo(host, None))
    except (OSError, UnicodeError):
        return False


def _have_codes(connection: Connection) -> None:
    library = ctypes.CDLL(_psycopg.__file__)  # loaded already, and libpq with it
    set_verbosity = getattr(library, "PQsetErrorVerbosity", None)
    if set_verbosity is None:  # psycopg2 hides its libpq: then waiting may always help
        return
    set_verbosity.argtypes = (ctypes.c_void_p, ctypes.c_int)
    set_verbosity(connection.pgconn_ptr, _VERBOSE)


def _finish(connection: Connection, watched: "_Watched", deadline: float) -> bool:
    """Return True when the connection is made, and False if that takes too long."""
    while True:
        watched.look_at(connection)
        state = connection.poll()
        if state == POLL_OK:
            return True
        poller = select.poll()
        wanted = select.POLLIN if state == POLL_READ else select.POLLOUT
        poller.register(connection.fileno(), wanted)
        left = deadline - time.monotonic()
        if left <= 0 or not poller.poll(left * 1000):
            return False


class _Watched:
    """Keeps libpq's socket open, to look at it after libpq has closed it."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None

    def look_at(self, connection: Connection) -> None:
        """Keep the current socket: libpq opens another one for each host."""
        self.close()
        self._socket = socket.socket(fileno=os.dup(connection.fileno()))

    @property
    def goes_on(self) -> bool:
        """Return whether the other side is still connected and waits."""
        if self._socket is None:
            return False
        try:
            # On this machine, a connection to a closed port may get that port itself as its own:
            # then it is connected to itself.
            if self._socket.getpeername() == self._socket.getsockname():
                return False
            self._socket.setblocking(False)
            return bool(self._socket.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def close(self) -> None:
        """Close the kept socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
