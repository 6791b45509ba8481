"""Read a PostgreSQL URL by the rules of libpq and SQLAlchemy, or refuse it and name the part."""

import os
import re
from collections.abc import Callable, Mapping
from functools import partial

from psycopg2 import ProgrammingError
from psycopg2.extensions import parse_dsn

from alembic_boot.errors import ConfigurationError
from alembic_boot.output.masking import hide
from alembic_boot.postgres.database_url import DatabaseUrl
from alembic_boot.postgres.hosts import SESSION, joined_query, on_primary
from alembic_boot.postgres.options import DRIVERS, OWN_DRIVER, read_query, unusable
from alembic_boot.postgres.services import read_service, service_of

__all__ = [
    "PARTS",
    "DatabaseUrl",
    "build_database_url",
    "hide_password",
    "parse_database_url",
    "url_of_env_py",
]

PARTS = "POSTGRES_HOST, POSTGRES_PORT, POSTGRES_USER or POSTGRES_DB"
"""The settings that together make a URL."""

_OF_ENV_PY = "the URL of env.py"

_SCHEMES = ("postgresql", "postgres")
_ADVICE = (
    "Write it as postgresql://user:password@host:5432/database, with special characters "
    "percent-encoded (% is %25, @ is %40, / is %2F)."
)
_SSL = {"true": "require", "false": "disable"}
"""libpq's value for a plain `ssl=true`, and for other clients' form of it."""

_SECRETS = ("password", "sslpassword")

_PASSWORD_IN_URL = re.compile(r"://[^:/?#@]*:([^/?#]*)@")

_NAME = re.compile(r"[A-Za-z_]+")
"""Unknown names that a message may repeat: other clients' options have this form."""


def parse_database_url(text: str, setting: str = "DATABASE_URL") -> DatabaseUrl:
    """Return the checked URL; `setting` names it in errors.

    Raises ConfigurationError, which never repeats a possible part of the password.
    """
    scheme, separator, rest = text.partition("://")
    name, _, driver = scheme.partition("+")
    if not separator or name not in _SCHEMES:
        raise ConfigurationError(f"{setting} is not a PostgreSQL URL.", _ADVICE)
    _refuse_driver(driver, setting)
    login, address = _split_login(rest)
    place, _, query = address.partition("?")
    try:
        options = read_query(joined_query(query), is_sqlalchemys=bool(driver))
        parameters = parse_dsn(f"postgresql://{login}{place}")
    except (ValueError, ProgrammingError):  # UnicodeError is a ValueError
        raise ConfigurationError(f"{setting} is malformed.", _ADVICE) from None
    # A second @ comes from a password that is not encoded: the rest of the password would count as
    # the host.
    if "@" in place:
        raise ConfigurationError(f"{setting} is malformed.", _ADVICE)
    if ssl := options.pop("ssl", None):
        options["sslmode"] = _SSL.get(ssl, ssl)
    _refuse_ports({**parameters, **options}, setting)
    # A second @ may also be in the query, or the login may lack its @: then an option's name may be
    # a part of the password.
    is_login_clear = bool(login) or ":" not in place
    told = partial(_options, setting=setting, may_name="@" not in query and is_login_clear)
    _refuse_names(options, driver, told)
    own = {it: options.pop(it) for it in DRIVERS[driver or OWN_DRIVER].own & options.keys()}
    parameters = _with_service({**parameters, **options}, setting)
    if names := unusable(parameters):
        raise ConfigurationError(
            f"{told(names)} with a value that libpq does not take.",
            "Correct the value, or leave the option out.",
        )
    return DatabaseUrl(
        _checked(parameters, setting), driver=driver, own=own, setting=setting, written=text
    )


def build_database_url(
    *, host: str, port: str, user: str, password: str | None, database: str
) -> DatabaseUrl:
    """Return the URL of these parts."""
    parameters = {"host": host, "port": port, "user": user, "dbname": database}
    if password:
        parameters["password"] = password
    # Such a host is one of a URL, or one with a login in it.
    if any("@" in name and not name.startswith(("@", "/")) for name in host.split(",")):
        raise ConfigurationError(f"{PARTS} is malformed.", _ADVICE)
    _refuse_ports(parameters, PARTS)
    return DatabaseUrl(_checked(parameters, PARTS), setting=PARTS)


def url_of_env_py(parameters: Mapping[str, str], driver: str) -> DatabaseUrl:
    """Return the URL of env.py's own login, by libpq's keywords. Raises ConfigurationError."""
    own = driver if driver in DRIVERS else ""
    name = parameters.get("dbname") or os.environ.get("PGDATABASE") or parameters.get("user", "")
    return DatabaseUrl(
        _checked({**parameters, "dbname": name}, _OF_ENV_PY),
        driver=own,
        setting=_OF_ENV_PY,
        is_env_pys=True,
    )


def hide_password(url: DatabaseUrl | None) -> None:
    """Mask the passwords of a URL wherever they occur."""
    if url is None:
        return
    # A password that equals the name of the role, the database or a host cannot be recognised in a
    # line.
    shown = {url.database, url.parameters.get("user"), *url.parameters.get("host", "").split(",")}
    # In every encoding of the URL: people need not write %2F in capitals.
    as_written = _PASSWORD_IN_URL.search(url.written)
    secrets = [url.parameters.get(name) for name in ("password", "sslpassword")]
    for secret in (*secrets, as_written and as_written[1]):
        if secret not in shown:
            hide(secret)


def _options(names: list[str], setting: str, *, may_name: bool) -> str:
    """Return the beginning of a sentence about options, whose names may be a part of a password."""
    is_libpqs = DRIVERS[OWN_DRIVER].knows
    if not may_name or not all(_NAME.fullmatch(it) or is_libpqs(it) for it in names):
        return f"{setting} has an option"
    return f"{setting} has the option {' and '.join(names)}"


def _refuse_driver(name: str, setting: str) -> None:
    instead = "or write the URL as postgresql+psycopg2://…"
    if name and name not in DRIVERS:
        # Not repeated: it may be any text that was typed at the wrong place.
        raise ConfigurationError(
            f"{setting} names a driver that cannot be used here.",
            f"Name one of {', '.join(DRIVERS)}, {instead}.",
        )
    if name and not DRIVERS[name].is_installed:
        raise ConfigurationError(
            f"{setting} names the driver {name}, and the package {DRIVERS[name].package} is not "
            "installed.",
            f"Install the package, {instead}.",
        )


def _refuse_names(
    options: Mapping[str, str], driver: str, told: Callable[[list[str]], str]
) -> None:
    taking = DRIVERS[driver or OWN_DRIVER]
    for name in options:
        if not taking.knows(name):
            raise ConfigurationError(
                f"{told([name])}, which neither libpq nor the driver knows.",
                "Leave the option out.",
            )
        if not taking.takes(name):
            raise ConfigurationError(
                f"{told([name])}, which the driver {driver} takes from no URL.",
                "Leave the option out, or write the URL as postgresql+psycopg2://….",
            )


def _refuse_ports(parameters: Mapping[str, str], setting: str) -> None:
    ports = [port for port in parameters.get("port", "").split(",") if port]
    if not all(re.fullmatch("[0-9]{1,5}", port) and 0 < int(port) < 65536 for port in ports):
        raise ConfigurationError(f"{setting} has a port that is not a number to 65535.", _ADVICE)


def _with_service(parameters: dict[str, str], setting: str) -> dict[str, str]:
    """Return the keywords, with those of a named service; libpq itself reads its secrets."""
    name = service_of(parameters)
    if name is None:
        return parameters
    try:
        found = read_service(name)
    except (KeyError, OSError, UnicodeDecodeError) as error:
        cause = "which no service file has" if isinstance(error, KeyError) else f"but {error}"
        where = "names a service" if parameters.get("service") else "is read with PGSERVICE"
        raise ConfigurationError(
            f"{setting} {where}, {cause}.", "Add it to the file that PGSERVICEFILE names."
        ) from None
    for secret in _SECRETS:
        hide(found.pop(secret, None))
    return {**found, **parameters}


def _checked(parameters: Mapping[str, str], setting: str) -> Mapping[str, str]:
    """Return the keywords, set to mean the primary. Raises ConfigurationError."""
    if not parameters.get("dbname"):
        raise ConfigurationError(f"{setting} names no database.", _ADVICE)
    try:
        return on_primary(parameters)
    except ValueError as error:
        if SESSION in error.args:
            raise ConfigurationError(
                f"{setting} asks for another server than the primary ({SESSION}).",
                "Leave that out: of several hosts the one that takes writes is found.",
            ) from None
        raise ConfigurationError(
            f"{setting} does not have as many ports as hosts.", "Give one for each, or one for all."
        ) from None


def _split_login(rest: str) -> tuple[str, str]:
    """Split the part after the scheme as libpq does: the login with its @, and the rest."""
    login, at, address = rest.partition("@")
    return (login + at, address) if at and "/" not in login else ("", rest)
