"""The URL that an env.py uses by itself, learned when it begins to connect."""

from collections.abc import Mapping
from configparser import NoOptionError
from typing import Any

from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import ArgumentError

from alembic_boot.description import AlembicConfig
from alembic_boot.environment.failures import is_missing_url, no_connection
from alembic_boot.environment.logins import connecting_anew, hearing_logins, keywords
from alembic_boot.environment.opening import open_project
from alembic_boot.errors import BootError, ConfigurationError
from alembic_boot.own_work import own_call
from alembic_boot.postgres.urls import DatabaseUrl, hide_password, url_of_env_py
from alembic_boot.signals import Stopped

_ADVICE = "Set DATABASE_URL=postgresql://user:password@host:5432/database. Nothing was changed."


class _Enough(BaseException):
    """Ends env.py when it is about to connect: what it would do next is not wanted."""


def own_url(alembic: AlembicConfig) -> DatabaseUrl:
    """Run env.py until it connects, and return where it would connect to.

    It gets the configuration as Alembic reads it. Raises ConfigurationError if it does not come
    that far, and HistoryBrokenError.
    """
    project = open_project(alembic, None, may_be_empty=True)
    found: list[tuple[Any, Mapping[str, str] | None]] = []
    verifies = connects = False

    def stop(dialect: Any, arguments: Any, parameters: dict[str, Any]) -> None:
        nonlocal verifies
        # An SSLContext of asyncpg's; CERT_NONE is 0.
        verifies = bool(getattr(parameters.get("ssl"), "verify_mode", 0))
        found.append((dialect, keywords(arguments, parameters)))
        raise _Enough

    def connected(_context: MigrationContext) -> None:
        nonlocal connects
        connects = True

    try:
        with own_call(), connecting_anew(), hearing_logins(stop):
            project.run(lambda _context, _arguments: None, lambda _error: None, connected)
    except (BootError, Stopped):
        if not found:
            raise
    except BaseException as error:
        if not found:
            raise no_connection(error) or _failed(error, project.describe(error)) from error
    if not found and connects:
        raise _unknown(" The engine of env.py tells no URL, because it has a `creator`.")
    if not found:
        raise _unknown(" env.py does not connect by itself either.")
    dialect, login = found[0]
    if dialect.name != "postgresql":
        raise ConfigurationError(
            f"Alembic's env.py connects to {dialect.name}.", "Only PostgreSQL is supported."
        )
    if login is None:
        raise _unknown(" The login of env.py cannot be read.")
    if verifies:
        raise ConfigurationError(
            "Alembic's env.py verifies the server by an SSLContext, which cannot be read.",
            "Set DATABASE_URL with sslmode=verify-full and sslrootcert=FILE (or system). Nothing "
            "was changed.",
        )
    url = url_of_env_py(login, dialect.driver)
    hide_password(url)
    return url


def _failed(error: BaseException, described: str) -> ConfigurationError:
    if is_missing_url(error) or (isinstance(error, NoOptionError) and "url" in error.option):
        return _unknown(" env.py finds no URL either, such as sqlalchemy.url of alembic.ini.")
    # An env.py that reads DATABASE_URL itself names it.
    is_of_url = isinstance(error, ArgumentError) or "database_url" in str(error).lower()
    return ConfigurationError(
        f"Alembic's env.py failed before it connected: {described}.",
        _ADVICE if is_of_url else "Fix that. Nothing was changed.",
    )


def _unknown(why: str) -> ConfigurationError:
    return ConfigurationError(
        f"No database is configured: neither --url nor DATABASE_URL is given.{why}", _ADVICE
    )
