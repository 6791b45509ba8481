"""A PostgreSQL URL: checked once, printed without its password, ready for each driver."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, quote, unquote

from backend.boot.errors import ConfigurationError

_PORT = "5432"

_SCHEMES = ("postgresql", "postgres")
_ADVICE = (
    "Write it as postgresql://user:password@host:5432/database, with special characters "
    "percent-encoded (% is %25, @ is %40, / is %2F)."
)


@dataclass(frozen=True)
class DatabaseUrl:
    """Where a database is and how to log in.

    `raw` is the URL as it was given, or means the same where that names several hosts;
    `parameters` are libpq's keywords for it, password included.
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
        host, port = get("host", ""), get("port", "")
        if host.startswith("/"):
            return f"postgresql://{login}/{self.database}?host={host}"
        address = ",".join(
            f"{name}:{number}" if number else name
            for name, number in _pairs(host.split(","), port.split(","))
        )
        return f"postgresql://{login}{address}/{self.database}"

    @property
    def sqlalchemy_url(self) -> str:
        """The URL as SQLAlchemy takes it.

        A plain `postgresql://` means psycopg 3 since SQLAlchemy 2.1, so the driver is said; a
        driver that the URL names itself is left alone.
        """
        scheme, rest = self.raw.split("://", 1)
        driver = scheme.partition("+")[2] or "psycopg2"
        return f"postgresql+{driver}://{rest}"

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
    if "," in parameters.get("host", ""):
        return _of_several_hosts(text, parameters)
    return DatabaseUrl(text, parameters)


def _of_several_hosts(text: str, parameters: dict[str, str]) -> DatabaseUrl:
    """Return the URL as libpq and SQLAlchemy both read it, and with the primary alone in mind.

    To SQLAlchemy a comma before the path is a part of the name of one host. It is those who write
    that connect by this, and a host may have become a standby since.
    """
    scheme, _, rest = text.partition("://")
    login, address = _split_login(rest)
    place, _, query = address.partition("?")
    hosts = parameters["host"].split(",")
    ports = parameters.get("port", "").split(",")
    ports = [port or _PORT for port in (ports * len(hosts) if len(ports) == 1 else ports)]
    parameters = {"target_session_attrs": "primary", **parameters, "port": ",".join(ports)}
    names = ("host", "port", "target_session_attrs")
    options = [f"{name}={quote(parameters[name], safe=',/')}" for name in names]
    options += [pair for pair in query.split("&") if pair and pair.partition("=")[0] not in names]
    raw = f"{scheme}://{login}/{place.partition('/')[2]}?{'&'.join(options)}"
    return DatabaseUrl(raw, parameters)


def build_database_url(
    *, host: str, port: str, user: str, password: str | None, database: str
) -> DatabaseUrl:
    """Return the URL of these parts, each percent-encoded as it needs."""
    login = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
    if host.startswith("/"):
        address, query = "", f"?host={quote(host, safe='/')}&port={quote(port)}"
    else:
        address = f"[{host}]" if ":" in host else host
        address += f":{quote(port, safe=',')}"
        query = ""
    text = f"postgresql://{login}@{address}/{quote(database, safe='')}{query}"
    return parse_database_url(text, "POSTGRES_HOST, POSTGRES_PORT, POSTGRES_USER or POSTGRES_DB")


def _libpq_parameters(url: str, driver: str) -> dict[str, str] | None:
    from psycopg2 import ProgrammingError
    from psycopg2.extensions import parse_dsn

    url = _with_hosts_in_front(url)
    try:
        return parse_dsn(url)
    except UnicodeError:
        return None
    except ProgrammingError:
        # Other drivers have options of their own, which libpq refuses; asyncpg's `ssl` is
        # libpq's `sslmode`.
        base, _, query = url.partition("?")
        if driver in ("", "psycopg", "psycopg2") or not query:
            return None
    try:
        parameters = parse_dsn(base)
    except (ProgrammingError, UnicodeError):
        return None
    options = parse_qs(query)
    if "ssl" in options:
        parameters["sslmode"] = options["ssl"][-1]
    if "host" in options:
        parameters["host"] = options["host"][-1]
    return parameters


def _with_hosts_in_front(url: str) -> str:
    """Return a URL with SQLAlchemy's `?host=a:1&host=b:2` where libpq has them: `a:1,b:2`."""
    base, _, query = url.partition("?")
    pairs = query.split("&")
    hosts = [unquote(pair[5:]) for pair in pairs if pair.startswith("host=")]
    if len(hosts) < 2:
        return url
    head, _, rest = base.partition("://")
    login, address = _split_login(rest)
    path = address.partition("/")[2]
    others = "&".join(pair for pair in pairs if not pair.startswith("host="))
    return f"{head}://{login}{','.join(hosts)}/{path}?{others}"


def _split_login(rest: str) -> tuple[str, str]:
    """Split what follows the scheme as libpq does: the login, its @ included, and the others."""
    login, at, address = rest.partition("@")
    return (login + at, address) if at and "/" not in login else ("", rest)


def _pairs(hosts: list[str], ports: list[str]) -> list[tuple[str, str]]:
    """Pair hosts with ports as libpq does: one port serves for all hosts."""
    hosts = [f"[{host}]" if ":" in host else host for host in hosts]
    if len(ports) == 1:
        ports = ports * len(hosts)
    return list(zip(hosts, ports, strict=False))
