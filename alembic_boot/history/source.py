"""Questions about the code of a revision, answered without running it. Each raises SyntaxError."""

import ast
import warnings
from collections.abc import Iterator
from typing import Any

OWN_LOGINS = frozenset({"create_engine", "create_async_engine", "psycopg", "psycopg2", "asyncpg"})
"""Names by which a revision may log in to a database itself."""

_BELOW = OWN_LOGINS | {"cursor", "dbapi_connection", "driver_connection", "raw_connection"}
"""Names of SQLAlchemy and of drivers that lead around the connection that we watch."""


def parse(source: bytes | str) -> ast.Module:
    """Return the syntax tree of a file.

    It hides Python's warnings: the file has been imported before, which showed them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source.removeprefix("\ufeff") if isinstance(source, str) else source)


def without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return the statements of a module, class or function without its docstring."""
    match body:
        case [ast.Expr(ast.Constant(str())), *rest]:
            return rest
    return body


def bound_name(statement: ast.stmt) -> str | None:
    """Return the name that a statement of a module assigns or defines, if it is one."""
    match statement:
        case ast.Assign(targets=[ast.Name(name)]) | ast.AnnAssign(target=ast.Name(name)):
            return name
        case ast.FunctionDef(name) | ast.AsyncFunctionDef(name):
            return name
    return None


_KINDS = (ast.AST, list)
_WITHOUT_PARTS = frozenset({ast.Name, ast.Constant, ast.alias})


def nodes(statements: list[ast.stmt]) -> Iterator[ast.AST]:
    """Give each node before its parts, so that a part may be taken away. Faster than `ast.walk`."""
    left: list[Any] = [statements]
    while left:
        node = left.pop()
        if isinstance(node, list):
            left += node
        elif isinstance(node, ast.AST):
            yield node
            if type(node) not in _WITHOUT_PARTS:
                left += [it for it in vars(node).values() if isinstance(it, _KINDS)]


def has_autocommit_block(source: bytes, function: str) -> bool:
    """Return whether a revision may enter an autocommit block when it runs `function`.

    `function` is `upgrade` or `downgrade`; only the code of the other one is left out.
    """
    return "autocommit_block" in _names(source, function)


def commits_itself(source: bytes, function: str) -> bool:
    """Return whether a revision may commit through SQLAlchemy when it runs `function`."""
    return "commit" in _names(source, function)


def below_sqlalchemy(source: bytes, names: frozenset[str] = _BELOW) -> list[str]:
    """Return those of the names by which an upgrade goes around the connection that we watch."""
    if not any(name.encode() in source for name in names):  # most revisions need no parsing
        return []
    return [f"through {name}" for name in sorted(names & _names(source, "upgrade"))]


def certain_statements(source: bytes) -> Iterator[str]:
    """Give the SQL that an upgrade runs as a constant text in any case, up to its first branch."""
    upgrade = _function(parse(source), "upgrade") if b".execute(" in source else None
    for statement in upgrade.body if upgrade else ():
        match statement:
            case ast.Expr(ast.Call(ast.Attribute(attr="execute"), [text])):
                match text:
                    case (
                        ast.Constant(str(sql))
                        | ast.Call(ast.Attribute(attr="text"), [ast.Constant(str(sql))])
                        | ast.Call(ast.Name("text"), [ast.Constant(str(sql))])
                    ):
                        yield sql
            case ast.Expr() | ast.Assign() | ast.Import() | ast.ImportFrom():
                pass
            case _:
                return


def _names(source: bytes, function: str) -> set[str]:
    other = "downgrade" if function == "upgrade" else "upgrade"
    parts = [it for it in parse(source).body if getattr(it, "name", "") != other]
    found = (getattr(node, "attr", getattr(node, "id", None)) for node in nodes(parts))
    return {name for name in found if isinstance(name, str)}


def line_of(source: bytes | str, name: str) -> int | None:
    """Return the line at which a module defines or assigns a name, outside of any block."""
    lines = [it.lineno for it in parse(source).body if bound_name(it) == name]
    return lines[-1] if lines else None


def declares_empty_downgrade(source: bytes | str) -> bool:
    """Return whether a revision says why its downgrade does nothing: `downgrade_is_empty = "…"`."""
    said = [
        getattr(it, "value", None)
        for it in parse(source).body
        if bound_name(it) == "downgrade_is_empty"
    ]
    match said:
        case [*_, ast.Constant(str(why))]:
            return bool(why.strip())
    return False


def is_downgrade_empty(source: bytes | str) -> bool:
    """Return whether the downgrade does nothing."""
    downgrade = _function(parse(source), "downgrade")
    return downgrade is not None and _is_empty(downgrade)


def why_irreversible(source: bytes | str) -> str | None:
    """Return why a revision cannot be downgraded, as a clause to follow its title; else None.

    Only certain cases count: no `downgrade` at all, one that always raises, or one that does
    nothing while `upgrade` does something and the revision does not say why.
    """
    tree = parse(source)
    downgrade = _function(tree, "downgrade")
    if downgrade is None:
        is_bound = not {"downgrade", "*"}.isdisjoint(map(_bound, ast.walk(tree)))
        return None if is_bound else "it has no downgrade()"
    if raised := _raised(downgrade):
        return f"its downgrade() raises{_exception(raised)}"
    upgrade = _function(tree, "upgrade")
    if upgrade is None or _is_empty(upgrade) or declares_empty_downgrade(source):
        return None
    if _is_empty(downgrade):
        return "its downgrade() is empty"
    return None


def _function(tree: ast.Module, name: str) -> ast.FunctionDef | None:
    """Return the function that the module defines last under this name, outside of any block."""
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    return found[-1] if found else None


def _bound(node: ast.AST) -> str | None:
    match node:
        case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
            return name
        case ast.Name(name, ast.Store()):
            return name
        case ast.alias(name, asname):
            return asname or name
    return None


def _raised(function: ast.FunctionDef) -> ast.Raise | None:
    """Return the statement at which every call ends, if there is one and it raises."""
    for statement in function.body:
        if isinstance(statement, ast.Raise):
            return statement
        if any(isinstance(node, ast.Return) for node in ast.walk(statement)):
            return None
    return None


def _exception(statement: ast.Raise) -> str:
    """Return the exception's name after a space; an empty text if it is not written there."""
    exception = statement.exc.func if isinstance(statement.exc, ast.Call) else statement.exc
    match exception:
        case ast.Name(name) | ast.Attribute(attr=name) if name[:1].isupper():
            return f" {name}"
    return ""


def _is_empty(function: ast.FunctionDef) -> bool:
    for statement in without_docstring(function.body):
        match statement:
            case ast.Pass() | ast.Expr(ast.Constant()) | ast.Return(None | ast.Constant(None)):
                pass
            case _:
                return False
    return True
