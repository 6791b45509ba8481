"""The driver that an env.py needs, if its URL names none."""

import ast
from pathlib import Path

from alembic_boot.errors import ConfigurationError
from alembic_boot.history.source import parse
from alembic_boot.postgres.options import ASYNC_DRIVERS, DRIVERS
from alembic_boot.postgres.urls import DatabaseUrl

_MAKERS = frozenset({"create_async_engine", "async_engine_from_config"})
"""Functions of SQLAlchemy whose import or use shows that an env.py connects by asyncio."""

_CLASS = "AsyncEngine"
"""The class that older templates of Alembic call; to import it alone says nothing."""


def url_for(env_py: Path, url: DatabaseUrl) -> str:
    """Return the URL as this env.py can use it.

    Raises ConfigurationError if no driver is installed that it could use.
    """
    if url.driver or not _connects_by_asyncio(env_py):
        return url.sqlalchemy_url
    for name in ASYNC_DRIVERS:
        if DRIVERS[name].is_installed:
            return url.for_driver(name)
    raise ConfigurationError(
        f"{env_py} connects by asyncio, and no driver for that is installed.",
        f"Install the package {' or '.join(ASYNC_DRIVERS)}. Nothing was changed.",
    )


def _connects_by_asyncio(env_py: Path) -> bool:
    try:
        tree = parse(env_py.read_bytes())
    except (OSError, SyntaxError, ValueError):  # such as one in compiled form alone
        return False
    return any(map(_makes_async_engine, ast.walk(tree)))


def _makes_async_engine(node: ast.AST) -> bool:
    match node:
        case ast.ImportFrom(names=names):
            return any(it.name in _MAKERS for it in names)
        case ast.Name(name) | ast.Attribute(attr=name):
            return name in _MAKERS
        case ast.Call(ast.Name(name) | ast.Attribute(attr=name)):
            return name == _CLASS
    return False
