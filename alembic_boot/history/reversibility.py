"""Decide from its code whether a revision can be downgraded, without running it."""

import ast

from alembic_boot.history.checksum import parse, without_docstring


def why_irreversible(source: bytes | str) -> str | None:
    """Return why a revision cannot be downgraded, as a clause to follow its title; else None.

    Only certain cases count: no `downgrade` at all, one that always raises, or one that does
    nothing while `upgrade` does something. Raises SyntaxError.
    """
    tree = parse(source)
    downgrade = _function(tree, "downgrade")
    if downgrade is None:
        return None if _may_bind(tree, "downgrade") else "it has no downgrade()"
    if raised := _raised(downgrade):
        return f"its downgrade() raises{_name_of(raised)}"
    upgrade = _function(tree, "upgrade")
    if upgrade is not None and _is_empty(downgrade) and not _is_empty(upgrade):
        return "its downgrade() is empty"
    return None


def _function(tree: ast.Module, name: str) -> ast.FunctionDef | None:
    """Return the function that the module defines last under this name, outside of any block."""
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    return found[-1] if found else None


def _may_bind(tree: ast.Module, name: str) -> bool:
    """Return whether the name may be bound otherwise: in a block, by assignment or by import."""
    for node in ast.walk(tree):
        match node:
            case (
                ast.FunctionDef(name=bound)
                | ast.AsyncFunctionDef(name=bound)
                | ast.ClassDef(name=bound)
            ):
                pass
            case ast.Name(id=bound, ctx=ast.Store()):
                pass
            case ast.alias(name=original, asname=asname):
                bound = asname or original
            case _:
                continue
        if bound in (name, "*"):
            return True
    return False


def _raised(function: ast.FunctionDef) -> ast.Raise | None:
    """Return the statement at which every call ends, if there is one and it raises."""
    for statement in function.body:
        if isinstance(statement, ast.Raise):
            return statement
        if any(isinstance(node, ast.Return) for node in ast.walk(statement)):
            return None
    return None


def _name_of(statement: ast.Raise) -> str:
    """Return the exception's name after a space; an empty text if it is not written there."""
    exception = statement.exc.func if isinstance(statement.exc, ast.Call) else statement.exc
    match exception:
        case ast.Name(id=name) | ast.Attribute(attr=name) if name[:1].isupper():
            return f" {name}"
    return ""


def _is_empty(function: ast.FunctionDef) -> bool:
    return all(_does_nothing(statement) for statement in without_docstring(function.body))


def _does_nothing(statement: ast.stmt) -> bool:
    match statement:
        case ast.Pass() | ast.Expr(ast.Constant()) | ast.Return(None | ast.Constant(None)):
            return True
    return False
