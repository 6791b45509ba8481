"""Options of a URL's query: those that libpq or the named driver accepts."""

import re
import socket
from collections.abc import Mapping
from contextlib import closing
from typing import Any
from urllib.parse import unquote, unquote_plus

from psycopg2 import Error, ProgrammingError, connect
from psycopg2.extensions import parse_dsn

from alembic_boot.postgres.drivers import Driver
from alembic_boot.postgres.hosts import SESSION

_NOT_ENCODED = re.compile("%(?![0-9A-Fa-f]{2})")

_PLACE = ("host", "hostaddr", "port", "user", "password", "dbname")
"""libpq's keywords that every driver accepts, in the URL itself."""


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


def is_known(name: str, driver: Driver) -> bool:
    """Return whether libpq, or only the driver, has an option of this name."""
    if name in driver.own:
        return True
    try:
        parse_dsn(f"postgresql://?{name}=1")
    except ProgrammingError:
        return False
    return True


def is_taken(name: str, driver: Driver) -> bool:
    """Return whether the driver accepts a known option from a URL."""
    if driver.names is None or name in _PLACE or name in driver.own:
        return True
    return name in driver.names or name == "service"


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
