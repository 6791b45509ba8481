"""Hashes of a revision's file, of its code and of its upgrade; they need no database.

Those of code are of the syntax tree, written down here by a small walk of its own: `ast.dump` and
`ast.unparse` change from one Python to the next, and a hash has to outlive the Python it was made
by. Between 3.11 and 3.14 nodes only gained fields, which are empty where the new syntax is not
used, and f-strings a parser that may cut their text elsewhere.
"""

import ast
import warnings
from functools import cache
from hashlib import sha256
from typing import Any

from alembic_boot.history.upgrade_code import upgrade_code

# What code does not depend on: comments for type checkers, and the u of u"".
_LEFT_OUT = frozenset({"type_comment", "type_ignores", "kind"})


def file_sha256(source: bytes) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    return sha256(source).hexdigest()


def code_checksum(source: bytes | str) -> str:
    """Return a SHA-256 of the code in a file, in hexadecimal.

    Comments, docstrings and formatting do not change it; a name, a number, a string or the order
    of statements does. Raises SyntaxError.
    """
    return sha256("".join(f"{token}\n" for token in _tokens(parse(source))).encode()).hexdigest()


def upgrade_checksum(source: bytes | str) -> str:
    """Return a SHA-256 of the code that a revision's upgrade runs, in hexadecimal.

    What cannot change the schema does not change it. Raises SyntaxError.
    """
    text = source.encode() if isinstance(source, str) else source
    if b"__doc__" in text:  # its code may read any docstring of the file
        return file_sha256(text)
    code = upgrade_code(without_docstring(parse(source).body))
    return sha256("".join(f"{token}\n" for token in _tokens(code)).encode()).hexdigest()


def parse(source: bytes | str) -> ast.Module:
    """Return the syntax tree of a file. Raises SyntaxError.

    Says nothing of what Python would warn of: the file has been imported by somebody already.
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
    """Return the tree as lines that can be read back in one way only: names, values, brackets.

    Goes without recursion, because a sum of a thousand terms is a thousand levels deep.
    """
    lines: list[str] = []
    waiting: list[Any] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, _Line):
            lines.append(node)
        elif isinstance(node, ast.Constant):
            # ascii(), because which characters repr() escapes depends on Python's Unicode.
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
            # A name or a number. In a list None has its place: {**rest} has a key that is None.
            lines.append(ascii(node))
    return lines


class _Line(str):
    """A line that is ready, among nodes and values that are yet to be written."""

    __slots__ = ()


_CLOSING = _Line(")")


@cache
def _ordered(names: tuple[str, ...]) -> list[str]:
    """Return the names of fields that may say something, in order."""
    return sorted(name for name in names if name not in _LEFT_OUT)


def _fields(node: ast.AST) -> list[tuple[str, Any]]:
    """Return the fields that say something, in order of their names."""
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
"""Kinds that can be written in several ways."""


def _same_for_all(node: ast.AST) -> dict[str, Any]:
    """Return the fields that differ between those ways, as they are in one of them."""
    match node:
        case ast.Module() | ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
            return {"body": without_docstring(node.body)}
        case ast.JoinedStr():
            return {"values": _joined(node.values)}
        case ast.FormattedValue(format_spec=ast.JoinedStr(values)) if not _joined(values):
            return {"format_spec": None}  # {x:} is {x}
        case ast.Delete():
            return {"targets": _flattened(node.targets)}
    return {}


def _joined(values: list[ast.expr]) -> list[ast.expr]:
    """Return the parts of an f-string with the text between two expressions in one piece."""
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
    """Return what is deleted: formatters take the brackets of `del (a, b)` away."""
    match targets:
        case [ast.Tuple(elts=[_, *_] as elements)]:
            return elements
    return targets
