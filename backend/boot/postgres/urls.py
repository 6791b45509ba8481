"""A PostgreSQL URL: checked once, printed without its password, ready for each driver."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, quote

from backend.boot.errors import ConfigurationError
from backend.boot.postgres.hosts import (
    SESSION,
    hosts_of,
    joined_query,
    on_primary,
    sqlalchemy_query,
)

_SCHEMES = ("postgresql", "postgres")
_ADVICE = (
    "Write it as postgresql://user:password@host:5432/database, with special characters "
    "percent-encoded (% is %25, @ is %40, / is %2F)."
)


@dataclass(frozen=True)
class DatabaseUrl:
    """Where a database is and how to log in.

    `raw` is the URL as it was given; `parameters` are libpq's keywords for it, password included.
    Of several hosts, `parameters` and `sqlalchemy_url` lead to the primary.
    """

    raw: str = field(repr=False)
    parameters: Mapping[str, str] = field(repr=False, compare=False)

    def __str__(self) -> str:
        return self.masked

    @property
    def database(self) -> str:
        """The database's name."""
        return self.parameters["dbname"]

    @property
    def masked(self) -> str:
        """The URL for people: built from its harmless parts only, so that nothing can leak."""
        get = self.parameters.get
        user = quote(get("user", ""), safe="")
        password = ":***" if "password" in self.parameters else ""
        login = f"{user}{password}@" if user else ""
        if get("host", "").startswith("/"):
            return f"postgresql://{login}/{self.database}?host={get('host')}"
        address = _address(hosts_of(self.parameters))
        return f"postgresql://{login}{address}/{self.database}"

    @property
    def sqlalchemy_url(self) -> str:
        """The URL as SQLAlchemy takes it.

        A plain `postgresql://` means psycopg 3 since SQLAlchemy 2.1, so the driver is said; a
        driver that the URL names itself is left alone.
        """
        scheme, rest = self.raw.split("://", 1)
        driver = scheme.partition("+")[2] or "psycopg2"
        if self.host_count == 1:
            return f"postgresql+{driver}://{rest}"
        login, address = _split_login(rest)
        query = sqlalchemy_query(self.parameters, address.partition("?")[2])
        return f"postgresql+{driver}://{login}/{quote(self.database, safe='')}?{query}"

    @property
    def host_count(self) -> int:
        """How many hosts there are, of which one takes writes."""
        return len(hosts_of(self.parameters))

    def with_database(self, name: str) -> "DatabaseUrl":
        """Return the URL of another database on the same server, with the same login."""
        scheme, _, rest = self.raw.partition("://")
        login, address = _split_login(rest)
        place, _, query = address.partition("?")
        options = [pair for pair in query.split("&") if pair and not pair.startswith("dbname=")]
        raw = f"{scheme}://{login}{place.partition('/')[0]}/{quote(name, safe='')}"
        raw += f"?{'&'.join(options)}" if options else ""
        return DatabaseUrl(raw, {**self.parameters, "dbname": name})


def parse_database_url(text: str, setting: str = "DATABASE_URL") -> DatabaseUrl:
    """Return the URL, checked; `setting` names it in errors.

    Raises ConfigurationError without ever repeating the text, which may hold a password.
    """
    scheme, separator, rest = text.partition("://")
    name, _, driver = scheme.partition("+")
    if not separator or name not in _SCHEMES:
        raise ConfigurationError(f"{setting} is not a PostgreSQL URL.", _ADVICE)
    parameters = _libpq_parameters(f"postgresql://{rest}", driver)
    # A second @ comes from a password that is not encoded: its rest would pass for the host.
    if parameters is None or "@" in _split_login(rest)[1].partition("?")[0]:
        raise ConfigurationError(f"{setting} is malformed.", _ADVICE)
    if not parameters.get("dbname"):
        raise ConfigurationError(f"{setting} names no database.", _ADVICE)
    ports = [port for port in parameters.get("port", "").split(",") if port]
    if not all(re.fullmatch("[0-9]{1,5}", port) and 0 < int(port) < 65536 for port in ports):
        raise ConfigurationError(f"{setting} has a port that is not a number to 65535.", _ADVICE)
    try:
        return DatabaseUrl(text, on_primary(parameters))
    except ValueError as error:
        if SESSION in str(error):
            raise ConfigurationError(
                f"{setting} asks for another server than the primary ({SESSION}).",
                "Leave that out: of several hosts the one that takes writes is found.",
            ) from None
        raise ConfigurationError(
            f"{setting} has not as many ports as hosts.", "Give one for each, or one for all."
        ) from None


def build_database_url(
    *, host: str, port: str, user: str, password: str | None, database: str
) -> DatabaseUrl:
    """Return the URL of these parts, each percent-encoded as it needs."""
    login = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
    try:
        hosts = hosts_of({"host": host, "port": port})
    except ValueError:
        raise ConfigurationError(
            "POSTGRES_PORT has not as many ports as POSTGRES_HOST has hosts.",
            "Give one for each, or one for all.",
        ) from None
    address, query = _address(hosts), ""
    if host.startswith("/"):
        address, query = "", f"?host={quote(host, safe='/,')}&port={quote(port, safe=',')}"
    text = f"postgresql://{login}@{address}/{quote(database, safe='')}{query}"
    return parse_database_url(text, "POSTGRES_HOST, POSTGRES_PORT, POSTGRES_USER or POSTGRES_DB")


def _libpq_parameters(url: str, driver: str) -> dict[str, str] | None:
    from psycopg2 import ProgrammingError
    from psycopg2.extensions import parse_dsn

    login, address = _split_login(url.partition("://")[2])
    place, _, query = address.partition("?")
    try:
        query = joined_query(query)
        url = f"postgresql://{login}{place}" + (f"?{query}" if query else "")
        return parse_dsn(url)
    except ValueError:  # UnicodeError is one
        return None
    except ProgrammingError:
        # Other drivers have options of their own, which libpq refuses; asyncpg's `ssl` is
        # libpq's `sslmode`.
        base = f"postgresql://{login}{place}"
        if driver in ("", "psycopg", "psycopg2") or not query:
            return None
    try:
        parameters = parse_dsn(base)
    except (ProgrammingError, UnicodeError):
        return None
    options = parse_qs(query)
    if "ssl" in options:
        parameters["sslmode"] = options["ssl"][-1]
    for name in ("host", "port", SESSION):
        if name in options:
            parameters[name] = options[name][-1]
    return parameters


def _split_login(rest: str) -> tuple[str, str]:
    """Split what follows the scheme as libpq does: the login, its @ included, and the others."""
    login, at, address = rest.partition("@")
    return (login + at, address) if at and "/" not in login else ("", rest)


def _address(hosts: list[tuple[str, str]]) -> str:
    """Return hosts and ports as they stand in a URL."""
    return ",".join(
        (f"[{name}]" if ":" in name else name) + (f":{quote(port, safe='')}" if port else "")
        for name, port in hosts
    )
