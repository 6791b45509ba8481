"""Hashes of a revision's file, of its code and of its upgrade; they need no database.

Hashes of code are made from the syntax tree by a small walk of our own: `ast.dump` and
`ast.unparse` change between Python versions, and a hash must outlive the Python that made it.
Between 3.11 and 3.14 nodes only gained fields, which are empty if the new syntax is not used. The
parser of f-strings changed: it may split their text differently.
"""

import ast
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from typing import Any

from alembic_boot.history.source import bound_name, nodes, parse, without_docstring

_BESIDE_THE_UPGRADE = frozenset(
    {"down_revision", "branch_labels", "phase", "downgrade", "downgrade_is_empty"}
)
"""Names of a revision's module that do not change the effect of its upgrade."""

# Parts that the code does not depend on: comments for type checkers, and the u of u"".
_LEFT_OUT = frozenset({"type_comment", "type_ignores", "kind"})

Import = ast.Import | ast.ImportFrom
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def file_sha256(source: bytes) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    return sha256(source).hexdigest()


def code_checksum(source: bytes | str) -> str:
    """Return a SHA-256 of the code in a file, in hexadecimal.

    Comments, docstrings and formatting do not change it; a name, a number, a string or the order of
    statements does. Raises SyntaxError.
    """
    return _hash(parse(source))


def upgrade_checksum(source: bytes | str) -> str:
    """Return a SHA-256 of the code that a revision's upgrade runs, in hexadecimal.

    Code that cannot change the schema does not change the hash. Raises SyntaxError.
    """
    text = source.encode() if isinstance(source, str) else source
    if b"__doc__" in text:  # its code may read any docstring of the file
        return file_sha256(text)
    return _hash(_upgrade_code(without_docstring(parse(source).body)))


def _upgrade_code(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return the statements of a revision's module that can change the schema.

    Left out are its place in the history, its phase, its downgrade, annotations, and unused
    imports. The nodes are changed in place.
    """
    kept = [it for it in body if bound_name(it) not in _BESIDE_THE_UPGRADE]
    # Everything that the upgrade uses is a part of it, even its own downgrade.
    while used := _names(kept) & {bound_name(it) for it in body if it not in kept}:
        kept = [it for it in body if it in kept or bound_name(it) in used]
    code = [_plain(it) for it in kept if not isinstance(it, Import)]
    used = {"*"}
    for node in nodes(code):
        if isinstance(node, _FUNCTIONS):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.Name):
            used.add(node.id)
    imports = [one for it in kept if isinstance(it, Import) for one in _one_by_one(it, used)]
    return [*sorted(imports, key=ast.unparse), *code]


def _plain(statement: ast.stmt) -> ast.stmt:
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


def _names(statements: list[ast.stmt]) -> set[str | None]:
    return {node.id for node in nodes(statements) if isinstance(node, ast.Name)}


def _hash(tree: ast.AST | list[ast.stmt]) -> str:
    return sha256("".join(f"{line}\n" for line in _lines(tree)).encode()).hexdigest()


def _lines(tree: ast.AST | list[ast.stmt]) -> list[str]:
    """Return the tree as lines that can be read back in only one way: names, values, brackets.

    It works without recursion, because a sum of a thousand terms is a thousand levels deep.
    """
    lines: list[str] = []
    waiting: list[Any] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, _Line):
            lines.append(node)
        elif isinstance(node, ast.Constant):
            # ascii(), because repr() escapes different characters in each version of Unicode.
            lines.append(f"{type(node.value).__name__} {node.value!a}")
        elif isinstance(node, ast.AST):
            lines.append(f"({type(node).__name__}")
            waiting.append(_CLOSING)
            same = _same_for_all(node) if type(node) in _ALIKE else {}
            for name, label in _backwards(node._fields):
                value = same[name] if name in same else getattr(node, name, None)
                if value not in (None, [], 0):  # such a field has no meaning
                    waiting += (value, label)
        elif isinstance(node, list):
            lines.append("[")
            waiting.append(_Line("]"))
            waiting += reversed(node)
        else:
            # A name or a number. In a list None has a meaning: {**rest} has a key that is None.
            lines.append(ascii(node))
    return lines


class _Line(str):
    """A finished line, among nodes and values that are still to be written."""

    __slots__ = ()


_CLOSING = _Line(")")


@cache
def _backwards(names: tuple[str, ...]) -> list[tuple[str, _Line]]:
    kept = sorted((it for it in names if it not in _LEFT_OUT), reverse=True)
    return [(name, _Line(f".{name}")) for name in kept]


_ALIKE = frozenset(
    {
        *(ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef),
        *(ast.JoinedStr, ast.FormattedValue, ast.Delete),
    }
)
"""Kinds of nodes that can be written in several ways."""


def _same_for_all(node: ast.AST) -> dict[str, Any]:
    """Return the fields that differ between these ways, in the form of one of them."""
    match node:
        case ast.Module() | ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
            return {"body": without_docstring(node.body)}
        case ast.JoinedStr():
            return {"values": _joined(node.values)}
        case ast.FormattedValue(format_spec=ast.JoinedStr(values)) if not _joined(values):
            return {"format_spec": None}  # {x:} equals {x}
        case ast.Delete([ast.Tuple(elts=[_, *_] as elements)]):
            return {"targets": elements}  # formatters remove the brackets of `del (a, b)`
    return {}


def _joined(values: list[ast.expr]) -> list[ast.expr]:
    """Return the parts of an f-string with the text between two expressions joined."""
    joined: list[ast.expr] = []
    for value in values:
        match joined, value:
            case [*_, ast.Constant(str(before))], ast.Constant(str(after)):
                joined[-1] = ast.Constant(before + after)
            case _, ast.Constant(""):
                pass
            case _:
                joined.append(value)
    return joined
