"""The part of a revision's code that decides which schema its upgrade makes."""

import ast
from collections.abc import Iterable, Iterator

_BESIDE_THE_UPGRADE = frozenset({"down_revision", "branch_labels", "phase", "downgrade"})
"""Names of a revision's module that do not change the effect of its upgrade."""

Import = ast.Import | ast.ImportFrom


def upgrade_code(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return the statements of a revision's module that can change the schema.

    Left out are its place in the history, its phase, its downgrade, annotations, and unused
    imports. The nodes are changed in place.
    """
    kept = [it for it in body if _bound_name(it) not in _BESIDE_THE_UPGRADE]
    # Everything that the upgrade uses is a part of it, even its own downgrade.
    while used := _names(kept) & {_bound_name(it) for it in body if it not in kept}:
        kept = [it for it in body if it in kept or _bound_name(it) in used]
    code = [_plain(it) for it in kept if not isinstance(it, Import)]
    for node in _nodes(code):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
    used = _names(code) | {"*"}
    imports = [one for it in kept if isinstance(it, Import) for one in _one_by_one(it, used)]
    return [*sorted(imports, key=ast.unparse), *code]


def _bound_name(statement: ast.stmt) -> str | None:
    match statement:
        case ast.Assign(targets=[ast.Name(name)]) | ast.AnnAssign(target=ast.Name(name)):
            return name
        case ast.FunctionDef(name) | ast.AsyncFunctionDef(name):
            return name
    return None


def _plain(statement: ast.stmt) -> ast.stmt:
    """Return an assignment without its annotation."""
    match statement:
        case ast.AnnAssign(target=ast.Name() as target, value=ast.expr() as value):
            return ast.Assign([target], value)
    return statement


def _one_by_one(statement: Import, used: set[str | None]) -> Iterator[ast.stmt]:
    """Yield an import for each used name, however they were grouped."""
    for alias in statement.names:
        if (alias.asname or alias.name.partition(".")[0]) not in used:
            continue
        if isinstance(statement, ast.Import):
            yield ast.Import([alias])
        else:
            yield ast.ImportFrom(statement.module, [alias], statement.level)


def _names(statements: Iterable[ast.stmt]) -> set[str | None]:
    return {node.id for node in _nodes(statements) if isinstance(node, ast.Name)}


def _nodes(statements: Iterable[ast.stmt]) -> Iterator[ast.AST]:
    return (node for statement in statements for node in ast.walk(statement))
