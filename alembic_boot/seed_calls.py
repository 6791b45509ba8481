"""The call of a seed callable: its first parameter says what it wants, and it may be async.

SQLAlchemy's classes and their subclasses, such as SQLModel's, are told by name: a project may have
neither the ORM nor asyncio. What the text of the file shows is refused before anything changes.
"""

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_type_hints

from alembic_boot.errors import ConfigurationError
from alembic_boot.history.source import bound_name, parse
from alembic_boot.postgres.options import ASYNC_DRIVERS, DRIVERS
from alembic_boot.postgres.urls import DatabaseUrl

_PLAIN = frozenset({"Connection", "Session"})
_ASYNC = frozenset({"AsyncConnection", "AsyncSession"})
_ENGINES = frozenset({"Engine", "AsyncEngine"})
_KNOWN = _PLAIN | _ASYNC | _ENGINES


@dataclass(frozen=True)
class SeedCall:
    """How to call a seed callable."""

    function: Callable[[Any], Any]
    is_async: bool
    session: type[Any] | None = None
    """The class of session that the callable gets; None is a connection."""

    def run(self, connection: Any, async_connection: Any = None) -> Any:
        """Call it within the connection's transaction; what it commits itself is a savepoint.

        For an async callable this runs within `async_connection.run_sync`.
        """
        given = async_connection if self.is_async else connection
        if self.session is not None:
            given = self.session(bind=given, join_transaction_mode="create_savepoint")
        if not self.is_async:
            found = self.function(given)
            if self.session is not None:
                given.commit()
                given.close()
            return found
        from sqlalchemy.util import await_only

        found = await_only(self.function(given))
        if self.session is not None:
            await_only(given.commit())
            await_only(given.close())
        return found


def seed_call(name: str, function: Callable[[Any], Any]) -> SeedCall:
    """Return how to call a function. Raises ConfigurationError if it wants anything else."""
    is_async = inspect.iscoroutinefunction(function)
    wanted = _annotation(function)
    kind, known = wanted if isinstance(wanted, str) else "", None
    for base in getattr(wanted, "__mro__", ()):
        if base.__module__.startswith("sqlalchemy.") and base.__name__ in _KNOWN:
            kind, known = base.__name__, wanted
            break
    _refuse(name, kind, is_async=is_async)
    if not kind.endswith("Session"):
        return SeedCall(function, is_async)
    if known is None:  # imported for type checkers alone
        if is_async:
            from sqlalchemy.ext.asyncio import AsyncSession as known  # noqa: N813
        else:
            from sqlalchemy.orm import Session as known  # noqa: N813
    return SeedCall(function, is_async, known)


def refuse_by_text(name: str) -> None:
    """Raise ConfigurationError for a callable that cannot be called, by the text of its module.

    The module is not imported: its code may need the schema. What the text does not tell is found
    when the callable is called.
    """
    module, _, attribute = name.partition(":")
    try:
        spec = find_spec(module)
        tree = parse(Path(str(spec and spec.origin)).read_bytes())
    except (ImportError, ValueError, AttributeError, OSError, SyntaxError):
        return
    match [it for it in tree.body if bound_name(it) == attribute]:
        case [*_, ast.FunctionDef() | ast.AsyncFunctionDef() as function]:
            first = next(iter([*function.args.posonlyargs, *function.args.args]), None)
            kind = _last_name(first.annotation) if first else ""
            _refuse(name, kind, is_async=isinstance(function, ast.AsyncFunctionDef))


def async_url(url: DatabaseUrl) -> str:
    """Return the URL for an async engine, by the driver it names or one that is installed."""
    named = "psycopg" if url.driver == "psycopg_async" else url.driver
    [driver, *_] = [it for it in (named, *ASYNC_DRIVERS) if _is_usable(it)]
    return url.for_driver(driver)


def _refuse(name: str, kind: str, *, is_async: bool) -> None:
    if kind in _ENGINES or kind in (_PLAIN if is_async else _ASYNC):
        does = "is async and wants" if is_async else "wants"
        an, fit = "an" if kind[0] in "AE" else "a", sorted(_ASYNC if is_async else _PLAIN)
        raise ConfigurationError(
            f"The seed callable {name} {does} {an} {kind}.",
            f"Let its first parameter be SQLAlchemy's {' or '.join(fit)}.",
        )
    if is_async and (find_spec("greenlet") is None or not any(map(_is_usable, ASYNC_DRIVERS))):
        raise ConfigurationError(
            f"The seed callable {name} is async, and that needs the packages greenlet and asyncpg "
            "or psycopg.",
            "Install them, or name a callable that is not async.",
        )


def _is_usable(driver: str) -> bool:
    return driver in ASYNC_DRIVERS and DRIVERS[driver].is_installed


def _annotation(function: Callable[[Any], Any]) -> Any:
    """Return the annotation of the first parameter; as text if it cannot be evaluated."""
    try:
        first = next(iter(inspect.signature(function).parameters), "")
    except ValueError:  # it is written in C
        return None
    try:
        return get_type_hints(function).get(first)
    except Exception:  # noqa: BLE001 (foreign code: any name may be missing, or raise)
        text = getattr(function, "__annotations__", {}).get(first)
        return _last_name(parse(text).body[0]) if isinstance(text, str) else text


def _last_name(annotation: ast.AST | None) -> str:
    match annotation:
        case ast.Constant(str(text)):
            return text.rpartition(".")[2]
        case ast.Name(name) | ast.Attribute(attr=name):
            return name
        case ast.Expr(value):
            return _last_name(value)
    return ""
