"""The driver that an env.py needs, if its URL names none."""

from pathlib import Path

from alembic_boot.errors import ConfigurationError
from alembic_boot.postgres.options import DRIVERS
from alembic_boot.postgres.urls import DatabaseUrl

_ASYNC = b"sqlalchemy.ext.asyncio"
"""What an env.py imports that connects by asyncio, as Alembic's async template does."""

_ASYNC_DRIVERS = ("asyncpg", "psycopg")


def url_for(env_py: Path, url: DatabaseUrl) -> str:
    """Return the URL as this env.py can use it.

    Raises ConfigurationError if no driver is installed that it could use.
    """
    if url.driver or not _connects_by_asyncio(env_py):
        return url.sqlalchemy_url
    for name in _ASYNC_DRIVERS:
        if DRIVERS[name].is_installed:
            return url.for_driver(name)
    raise ConfigurationError(
        f"{env_py} connects by asyncio, and no driver for that is installed.",
        f"Install the package {' or '.join(_ASYNC_DRIVERS)}. Nothing was changed.",
    )


def _connects_by_asyncio(env_py: Path) -> bool:
    try:
        return _ASYNC in env_py.read_bytes()
    except OSError:  # it is there in compiled form alone
        return False
