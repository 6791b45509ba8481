"""The logins that SQLAlchemy tries while env.py runs: heard of, noted, and led elsewhere.

env.py need not use the URL that it was given. SQLAlchemy's event `do_connect` has what its engine
passes to the driver. An engine that has a `creator` of its own passes nothing.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from psycopg2 import ProgrammingError
from psycopg2.extensions import parse_dsn
from sqlalchemy import Engine, Pool
from sqlalchemy.exc import DisconnectionError

from alembic_boot.environment.listening import listening
from alembic_boot.own_work import own_work
from alembic_boot.postgres.hosts import SESSION, hosts_of
from alembic_boot.postgres.options import DRIVERS
from alembic_boot.postgres.urls import DatabaseUrl

_LIBPQ = DRIVERS["psycopg2"]

_ASYNCPGS = {"database": "dbname", "ssl": "sslmode"}
"""The keywords of libpq by asyncpg's names for them."""

_LOGIN = ("host", "port", "user", "password", "dbname", SESSION)
"""What leads a login to another database; `hostaddr` and `service` give way to it."""

_HERE = frozenset({"", "localhost", "127.0.0.1", "::1"})

Hear = Callable[[Any, list[Any], dict[str, Any]], Any]
"""Gets the dialect and what the driver gets. May raise, or connect itself; else returns None.

It changes nothing of what it gets: before SQLAlchemy 2.1 that belongs to the engine.
"""


@contextmanager
def hearing_logins(hear: Hear) -> Iterator[None]:
    """Call `hear` before each login that SQLAlchemy tries meanwhile, for env.py."""
    is_ours = own_work()

    def connecting(dialect: Any, _record: Any, arguments: Any, parameters: dict[str, Any]) -> Any:
        return hear(dialect, arguments, parameters) if is_ours() else None

    with listening(Engine, do_connect=connecting):
        yield


def keywords(arguments: Sequence[Any], parameters: Mapping[str, Any]) -> dict[str, str] | None:
    """Return libpq's keywords of a login, of any driver; None if they cannot be told."""
    dsn = parameters.get("dsn") or parameters.get("conninfo") or (arguments or [""])[0]
    try:
        login = dict(parse_dsn(dsn)) if dsn else {}
    except (ProgrammingError, TypeError):
        return None
    for name, value in parameters.items():
        # asyncpg has lists of hosts and ports, and other words.
        text = ",".join(map(str, value)) if isinstance(value, list | tuple) else value
        if name == "ssl" and not isinstance(value, str):  # True, or a context
            text = "require" if value else "disable"
        keyword = _ASYNCPGS.get(name, name)
        # A driver's own options are no part of the login.
        if isinstance(text, str | int) and keyword not in ("dsn", "conninfo"):
            login |= {keyword: str(text)} if _LIBPQ.knows(keyword) else {}
    return login


_attempts: list[tuple[Any, dict[str, Any]]] = []
"""One env.py runs at a time in a process."""


@contextmanager
def noting_attempts() -> Iterator[None]:
    """Note each login that SQLAlchemy tries meanwhile."""

    def note(_dialect: Any, arguments: Any, parameters: dict[str, Any]) -> None:
        _attempts[:] = [(arguments, parameters)]

    _attempts.clear()
    with hearing_logins(note):
        yield


def last_attempt() -> Mapping[str, str] | None:
    """Return libpq's keywords of the last login that was tried; None if that is not known."""
    return keywords(*_attempts[0]) if _attempts else None


@contextmanager
def led(real: Sequence[DatabaseUrl], scratch: DatabaseUrl) -> Iterator[None]:
    """Lead logins to the real database, given by its URLs, to the scratch database instead.

    This proves nothing: ask the session where it is.
    """
    places = {place for url in real for place in _places(url.parameters)}

    def lead(dialect: Any, arguments: Any, parameters: dict[str, Any]) -> Any:
        login = keywords(arguments, parameters) if dialect.driver in DRIVERS else None
        if login is None or not places.intersection(_places(login)):
            return None
        return dialect.connect(*arguments, **_replaced(dialect.driver, parameters, scratch.login))

    with connecting_anew(), hearing_logins(lead):
        yield


@contextmanager
def connecting_anew() -> Iterator[None]:
    """Have env.py log in, also if a pool has a connection from before.

    A pool keeps apart the connections of env.py and those of an application beside it: each is made
    anew for the other. At the end the pools lose those of env.py.
    """
    made: dict[int, Any] = {}
    is_ours = own_work()

    def connected(_connection: Any, record: Any) -> None:
        if is_ours():
            made[id(record)] = record
        else:
            made.pop(id(record), None)

    def checked_out(_connection: Any, record: Any, _fairy: Any) -> None:
        if is_ours() is not (id(record) in made):
            raise DisconnectionError  # the pool connects again

    try:
        with listening(Pool, connect=connected, checkout=checked_out):
            yield
    finally:
        for record in made.values():
            record.invalidate()


def _places(login: Mapping[str, str]) -> set[tuple[str, str, str]]:
    """Return the databases that a login may lead to, one for each host."""
    get = {
        "host": os.environ.get("PGHOST", ""),
        "port": os.environ.get("PGPORT", ""),
        "dbname": os.environ.get("PGDATABASE", ""),
        **login,
    }.__getitem__
    try:
        hosts = hosts_of({"host": login.get("hostaddr") or get("host"), "port": get("port")})
    except ValueError:
        return set()
    return {
        ("" if host in _HERE or host.startswith("/") else host, port or "5432", get("dbname"))
        for host, port in hosts
    }


def _replaced(
    driver: str, parameters: Mapping[str, Any], login: Mapping[str, str]
) -> dict[str, Any]:
    """Return what a driver gets, with another login."""
    old = {"hostaddr", "service", "passfile", "database", *_LOGIN}
    found: dict[str, Any] = {name: login[name] for name in _LOGIN if login.get(name)}
    if driver == "asyncpg":
        found["database"] = found.pop("dbname")
        if "," in found.get("host", ""):
            found["host"] = found["host"].split(",")
        if ports := [int(it) for it in found.pop("port", "").split(",") if it]:
            found["port"] = ports if len(ports) > 1 else ports[0]
    return {name: value for name, value in parameters.items() if name not in old} | found
