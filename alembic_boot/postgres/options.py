"""Options of a URL's query: those that libpq or the named driver of SQLAlchemy accepts."""

import re
import socket
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any
from urllib.parse import unquote, unquote_plus

from psycopg2 import Error, ProgrammingError, connect
from psycopg2.extensions import parse_dsn

from alembic_boot.postgres.hosts import SESSION

_NOT_ENCODED = re.compile("%(?![0-9A-Fa-f]{2})")

_PLACE = ("host", "hostaddr", "port", "user", "password", "dbname")
"""libpq's keywords that every driver accepts, in the URL itself."""


@dataclass(frozen=True)
class Driver:
    """One driver of SQLAlchemy's."""

    package: str
    """The package to install, by the name of its import."""
    names: Mapping[str, str] | None = None
    """The driver's name for each libpq keyword that it accepts; None if the driver uses libpq."""
    own: frozenset[str] = field(default_factory=frozenset)
    """Options that only this driver knows."""

    @property
    def is_installed(self) -> bool:
        """Return whether the package can be imported here."""
        return find_spec(self.package) is not None

    def knows(self, name: str) -> bool:
        """Return whether libpq, or only the driver, has an option of this name."""
        if name in self.own:
            return True
        try:
            parse_dsn(f"postgresql://?{name}=1")
        except ProgrammingError:
            return False
        return True

    def takes(self, name: str) -> bool:
        """Return whether the driver accepts a known option from a URL."""
        if self.names is None or name in _PLACE or name in self.own:
            return True
        return name in self.names or name == "service"


OWN_DRIVER = "psycopg2"
"""The driver of boot and the application, whichever driver a URL names for an env.py."""

ASYNC_DRIVERS = ("asyncpg", "psycopg")
"""The drivers for asyncio, the best first."""

DRIVERS: Mapping[str, Driver] = {
    OWN_DRIVER: Driver("psycopg2"),
    "psycopg": Driver("psycopg"),
    "psycopg_async": Driver("psycopg"),
    # Options that SQLAlchemy passes to asyncpg.connect() as text, and that asyncpg takes as text.
    "asyncpg": Driver(
        "asyncpg",
        {"sslmode": "ssl", **{it: it for it in ("passfile", "krbsrvname", "gsslib", SESSION)}},
        frozenset({"prepared_statement_cache_size"}),
    ),
}
"""The drivers by the text after the + in a URL's scheme."""


def read_query(query: str, *, is_sqlalchemys: bool) -> dict[str, str]:
    """Return the decoded options: SQLAlchemy reads a plus as a space, libpq as a plus.

    Raises ValueError if a part is not an option.
    """
    decode = unquote_plus if is_sqlalchemys else unquote
    options = {}
    for pair in filter(None, query.split("&")):
        name, separator, value = pair.partition("=")
        if not separator or not name or _NOT_ENCODED.search(pair) or "%00" in pair:
            raise ValueError
        options[decode(name, errors="strict")] = decode(value, errors="strict")
    return options


def unusable(parameters: Mapping[str, str]) -> list[str]:
    """Return the options with values that libpq refuses; all if they are wrong only together.

    libpq itself checks them: it begins to connect to a port of our own, which never answers.
    """
    options = {name: value for name, value in parameters.items() if name not in (*_PLACE, SESSION)}
    # The only number that libpq reads only when it waits itself.
    timeout = options.pop("connect_timeout", "0")
    if not re.fullmatch(r"\s*[+-]?[0-9]+\s*", timeout):
        return ["connect_timeout"]
    if not options or can_begin(options) or not can_begin({}):
        return []
    return [name for name, value in options.items() if not can_begin({name: value})] or [*options]


def can_begin(options: Mapping[str, str]) -> bool:
    """Return whether libpq begins a login with these options and those of its environment."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
        login: dict[str, Any] = {**options, "host": "127.0.0.1", "port": port, "dbname": "x"}
        try:
            connect(**login, async_=True).close()
        except Error:
            return False
    return True
