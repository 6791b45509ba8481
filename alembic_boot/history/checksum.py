"""Hashes of a revision's file, of its code and of its upgrade; they need no database.

Hashes of code are made from the syntax tree by a small walk of our own: `ast.dump` and
`ast.unparse` change between Python versions, and a hash must outlive the Python that made it.
Between 3.11 and 3.14 nodes only gained fields, which are empty if the new syntax is not used. The
parser of f-strings changed: it may split their text differently.
"""

import ast
import warnings
from functools import cache
from hashlib import sha256
from typing import Any

from alembic_boot.history.upgrade_code import upgrade_code

# Parts that the code does not depend on: comments for type checkers, and the u of u"".
_LEFT_OUT = frozenset({"type_comment", "type_ignores", "kind"})


def file_sha256(source: bytes) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    return sha256(source).hexdigest()


def code_checksum(source: bytes | str) -> str:
    """Return a SHA-256 of the code in a file, in hexadecimal.

    Comments, docstrings and formatting do not change it; a name, a number, a string or the order of
    statements does. Raises SyntaxError.
    """
    return sha256("".join(f"{token}\n" for token in _tokens(parse(source))).encode()).hexdigest()


def upgrade_checksum(source: bytes | str) -> str:
    """Return a SHA-256 of the code that a revision's upgrade runs, in hexadecimal.

    Code that cannot change the schema does not change the hash. Raises SyntaxError.
    """
    text = source.encode() if isinstance(source, str) else source
    if b"__doc__" in text:  # its code may read any docstring of the file
        return file_sha256(text)
    code = upgrade_code(without_docstring(parse(source).body))
    return sha256("".join(f"{token}\n" for token in _tokens(code)).encode()).hexdigest()


def parse(source: bytes | str) -> ast.Module:
    """Return the syntax tree of a file. Raises SyntaxError.

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


def _tokens(tree: ast.AST | list[ast.stmt]) -> list[str]:
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
            for name, value in reversed(_fields(node)):
                waiting += (value, _Line(f".{name}"))
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
def _ordered(names: tuple[str, ...]) -> list[str]:
    """Return the names of fields that may have a meaning, in order."""
    return sorted(name for name in names if name not in _LEFT_OUT)


def _fields(node: ast.AST) -> list[tuple[str, Any]]:
    """Return the fields that have a meaning, in order of their names."""
    fields = {name: getattr(node, name, None) for name in _ordered(node._fields)}
    if type(node) in _ALIKE:
        fields |= _same_for_all(node)
    return [item for item in fields.items() if item[1] not in (None, [], 0)]


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
        case ast.Delete():
            return {"targets": _flattened(node.targets)}
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


def _flattened(targets: list[ast.expr]) -> list[ast.expr]:
    """Return the targets of a `del`: formatters remove the brackets of `del (a, b)`."""
    match targets:
        case [ast.Tuple(elts=[_, *_] as elements)]:
            return elements
    return targets
