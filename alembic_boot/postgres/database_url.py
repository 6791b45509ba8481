"""A database's URL: printed without its password, and converted for each driver."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

import psycopg2

from alembic_boot.errors import ConfigurationError
from alembic_boot.output.masking import hide
from alembic_boot.postgres.hosts import SESSION, address_of, hosts_of
from alembic_boot.postgres.options import DRIVERS, OWN_DRIVER
from alembic_boot.postgres.services import read_service, service_of

_PLACE = ("user", "password", "host", "port", "dbname")
"""Keywords in front of the query of a URL."""

_PLAIN = re.compile(r"[\w.,:-]*", re.ASCII)
"""Hosts that every reader accepts in front of the query; sockets and others stand in the query."""


@dataclass(frozen=True)
class DatabaseUrl:
    """The address of a database and the login to it. Of several hosts, the primary is meant."""

    parameters: Mapping[str, str] = field(repr=False)
    """libpq's keywords; the password is as it was when the URL was read."""
    driver: str = ""
    """SQLAlchemy's driver for env.py, if the URL names one."""
    own: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Options that only this driver knows."""
    password_file: Path | None = None
    """The file with the password, read again for each login."""
    setting: str = field(default="DATABASE_URL", compare=False)
    """The setting that the URL comes from, for messages."""
    written: str = field(default="", repr=False, compare=False)
    """The original text, if there is one: the password may be encoded differently there."""
    is_env_pys: bool = field(default=False, compare=False)
    """Whether env.py connects there by itself, so that nothing has to be handed to it."""

    def __str__(self) -> str:
        return self.masked

    @property
    def database(self) -> str:
        """Return the database's name."""
        return self.parameters["dbname"]

    @property
    def host_count(self) -> int:
        """Return the number of hosts; one of them accepts writes."""
        return len(hosts_of(self.parameters))

    @property
    def masked(self) -> str:
        """Return the URL for people: built only from harmless parts, so that nothing can leak."""
        get = self.parameters.get
        user = quote(get("user", ""), safe="")
        password = ":***" if "password" in self.parameters else ""
        login = f"{user}{password}@" if user else ""
        if get("host", "").startswith("/"):
            return f"postgresql://{login}/{self.database}?host={get('host')}"
        return f"postgresql://{login}{address_of(self.parameters)}/{self.database}"

    @property
    def login(self) -> dict[str, str]:
        """Return libpq's keywords, with the present password.

        Raises psycopg2.OperationalError, as a login does, if the password's file cannot be read.
        """
        try:
            return self._with_password()
        except (OSError, UnicodeDecodeError) as error:
            cause = f"the file with the password cannot be read: {error}"
            raise psycopg2.OperationalError(cause) from error

    @property
    def raw(self) -> str:
        """Return the URL as text with the password, from which it can be read again."""
        scheme = f"postgresql+{self.driver}" if self.driver else "postgresql"
        parameters, words = dict(self.parameters), DRIVERS[self.driver or OWN_DRIVER].names or {}
        if self.host_count > 1 and parameters[SESSION] == "primary":
            del parameters[SESSION]  # the default
        named = {words.get(keyword, keyword): value for keyword, value in parameters.items()}
        return f"{scheme}://{_text({**named, **self.own})}"

    @property
    def sqlalchemy_url(self) -> str:
        """Return the URL for any project's env.py, with the driver that the URL names, or psycopg2.

        A plain `postgresql://` means psycopg 3 since SQLAlchemy 2.1, so the driver is named.
        """
        return self.for_driver(self.driver or OWN_DRIVER)

    def for_driver(self, name: str) -> str:
        """Return the URL as SQLAlchemy expects it for one of its drivers.

        Raises ConfigurationError if the password's file cannot be read.
        """
        try:
            parameters = self._with_password()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"The file with the password cannot be read: {error}.",
                "Let this user read the file.",
            ) from error
        words = DRIVERS[name].names
        # SQLAlchemy counts the ports per host, and has no other keyword for them.
        if "host" not in parameters and (address := parameters.pop("hostaddr", None)):
            parameters["host"] = address
        if words is not None:
            if service := service_of(parameters):
                parameters = {**read_service(service), **parameters}
            parameters["host"] = parameters.pop("hostaddr", parameters.get("host", ""))
            parameters = {
                words.get(keyword, keyword): value
                for keyword, value in parameters.items()
                if keyword in words or (keyword in _PLACE and value)
            }
        own = self.own if name == self.driver else {}
        keyword = "dbname" if words is None else "database"
        return f"postgresql+{name}://{_text({**parameters, **own}, keyword)}"

    def with_database(self, name: str) -> "DatabaseUrl":
        """Return the URL of another database on the same server, with the same login."""
        return self.having(dbname=name)

    def having(self, **keywords: str) -> "DatabaseUrl":
        """Return the URL with these libpq keywords set."""
        return replace(
            self, parameters={**self.parameters, **keywords}, written="", is_env_pys=False
        )

    def _with_password(self) -> dict[str, str]:
        parameters = dict(self.parameters)
        if self.password_file is not None:
            parameters["password"] = read_secret(self.password_file)
            hide(parameters["password"])
        return parameters


def read_secret(file: Path) -> str:
    """Return the content of a file, without the end of the line."""
    return file.read_text(encoding="utf-8").rstrip("\r\n")


def _text(options: Mapping[str, str], keyword: str = "") -> str:
    """Return the part after the scheme, in the one form that libpq and SQLAlchemy read alike.

    A database's name stands in the query by its `keyword` if it needs encoding: before 2.1,
    SQLAlchemy decodes no path.
    """
    rest = dict(options)
    user, password = rest.pop("user", ""), rest.pop("password", "")
    login = quote(user, safe="")
    if user and password:
        login += f":{quote(password, safe='')}"
    elif password:
        rest["password"] = password
    place = f"{login}@" if user else ""
    host = rest.get("host", "")
    if host and "," not in host and _PLAIN.fullmatch(host):
        place += address_of({it: rest.pop(it) for it in ("host", "port") if it in rest})
    name = rest.pop("dbname")
    database = quote(name, safe="")
    if keyword and database != name:
        rest[keyword], database = name, ""
    place += f"/{database}"
    pairs = [f"{name}={quote(value, safe='/:,')}" for name, value in rest.items()]
    return place + (f"?{'&'.join(pairs)}" if pairs else "")
