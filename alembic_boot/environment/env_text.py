"""Read the text of an env.py: how it connects, and how often it calls `run_migrations()`."""

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

_CALL = "run_migrations"

_SEVERAL = 2

_LOOPS = (
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)


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
    return any(map(_makes_async_engine, ast.walk(_tree(env_py))))


def _makes_async_engine(node: ast.AST) -> bool:
    match node:
        case ast.ImportFrom(names=names):
            return any(it.name in _MAKERS for it in names)
        case ast.Name(name) | ast.Attribute(attr=name):
            return name in _MAKERS
        case ast.Call(ast.Name(name) | ast.Attribute(attr=name)):
            return name == _CLASS
    return False


def calls_once(env_py: Path) -> bool:
    """Return whether one run of this env.py calls `run_migrations()` once.

    False also if the text does not tell: if another module makes the call, for example.
    """
    tree = _tree(env_py)
    return _Calls(tree).count(tree.body) == 1


def _tree(env_py: Path) -> ast.Module:
    """Return the syntax tree; an empty one if there is no text, such as in compiled form alone."""
    try:
        return parse(env_py.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return ast.Module([], [])


class _Calls:
    """Counts the calls of one module, as far as several."""

    def __init__(self, tree: ast.Module) -> None:
        self._functions = {
            it.name: it
            for it in ast.walk(tree)
            if isinstance(it, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        self._counts: dict[str, int] = {}

    def count(self, nodes: list[ast.stmt]) -> int:
        """Return the number of calls in statements, one after the other."""
        return min(_SEVERAL, sum(map(self._count, nodes)))

    def _count(self, node: ast.AST) -> int:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                return 0  # its body counts where its name stands
            case ast.Call(func=func, args=args, keywords=keywords):
                # SQLAlchemy's `run_sync` calls its argument once. Others may call theirs often.
                is_once = isinstance(func, ast.Attribute) and func.attr == "run_sync"
                called, passed = ([func, *args], []) if is_once else ([func], args)
                found = sum(map(self._count_call, called))
                return found + sum(map(self._count, [*passed, *keywords]))
            case ast.Name() | ast.Attribute() if named := self._count_named(node):
                return named * _SEVERAL
            case ast.If(test=test, body=body, orelse=orelse):
                return self._count(test) + max(self.count(body), self.count(orelse))
        found = sum(map(self._count, ast.iter_child_nodes(node)))
        return found * _SEVERAL if isinstance(node, _LOOPS) else found

    def _count_call(self, node: ast.AST) -> int:
        return self._count_named(node) or self._count(node)

    def _count_named(self, node: ast.AST) -> int:
        """Return the calls in what a name stands for; 0 for other names."""
        match node:
            case ast.Name(id=name) if name in self._functions:
                return self._count_function(name)
            case ast.Attribute(attr=name) | ast.Name(id=name) if name == _CALL:
                return 1
        return 0

    def _count_function(self, name: str) -> int:
        if name not in self._counts:
            self._counts[name] = _SEVERAL  # if it calls itself
            self._counts[name] = self.count(self._functions[name].body)
        return self._counts[name]
