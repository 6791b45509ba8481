"""Read the header of a revision's file without importing the file.

A header is read only if the file sets it by plain literals and nothing else in the file can change
it. For any other file the answer is None, and Alembic has to import the file. The rules prefer
None: a wrong None costs a few milliseconds, a wrong header would be a wrong history.
"""

import ast
import inspect
import re
import sys
import warnings
from typing import NamedTuple
from unicodedata import normalize

Names = str | tuple[str, ...] | None
"""An id or label, several of them, or none, in the forms that Alembic accepts."""


class Header(NamedTuple):
    """The module-level names of a revision's file that place the revision in its history."""

    revision: str
    down_revision: Names
    depends_on: Names = None
    branch_labels: Names = None
    phase: str | None = None
    doc: str | None = None
    """The module's docstring, as Python would give it."""


_NAMES = frozenset(Header._fields) - {"doc"}

_NAME = "|".join(sorted(_NAMES))

_REFLECTION = frozenset(
    [
        *("globals", "locals", "vars", "exec", "eval", "setattr", "delattr", "modules"),
        *("f_globals", "f_locals", "__import__", "__dict__", "__globals__", "__builtins__"),
        *("__main__", "__doc__", "__getattr__"),
    ]
)
"""Names by which code can set a module's names without writing them down."""

_TELLTALES = _NAMES | _REFLECTION | {"global"}
"""Words that need a closer look."""

_DOCSTRING = re.compile(
    r"(?:[ \t]*(?:#.*)?\n)*"
    r"(?:\"{3}([^\"\\]*)\"{3}|'{3}([^'\\]*)'{3})[ \t]*(?:#.*)?(?:\n|$)"
)

_ASSIGNMENT = (
    rf"({_NAME})(?:[ \t]*:[ \t]*[\w\[\],.| \t]+)?[ \t]*=[ \t]*"
    r"(?:(None)|'([^'\"\\\n]+)'|\"([^'\"\\\n]+)\")"
)

_IMPORT = rf"(?:import|from [\w.]+ import) (?![^\n]*\b(?:{'|'.join(sorted(_TELLTALES))})\b)[\w., ]+"

# Empty lines, comments, imports of other names, and assignments: no other line can come between.
_TOP = re.compile(rf"(?:(?:{_IMPORT}|{_ASSIGNMENT})?[ \t]*(?:#[^\n]*)?\n)*", re.ASCII)

_ASSIGNMENTS = re.compile(rf"^{_ASSIGNMENT}", re.ASCII | re.MULTILINE)

_WORD = re.compile(r"\w+")

# Statements of kinds that a revision's file does not have.
_UNUSUAL = re.compile(
    r"^(?!(?:async )?def |class |(?:from|import) [^*\\\n]*$|[)\]}#\n]"
    r"|[A-Za-z_]\w*[ \t]*(?::[^=\n]*)?=[^=])\S",
    re.ASCII | re.MULTILINE,
)

_DECLARED_ENCODING = re.compile(
    r"^(?:[ \t\f]*(?:#.*)?\n)?[ \t\f]*#.*?coding[:=](?![ \t]*utf-?8(?![-\w.]))",
    re.ASCII | re.IGNORECASE,
)

_CLEANS_DOCSTRINGS = sys.version_info >= (3, 13)


def read_header(source: bytes) -> Header | None:
    """Return the header of a revision's file; None if only an import can tell it."""
    try:
        text = source.decode().removeprefix("\ufeff")
    except UnicodeDecodeError:
        return None
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if _DECLARED_ENCODING.match(text):
        return None
    return _quick(text) or _thorough(text)


def _quick(text: str) -> Header | None:
    """Read a file in the form of Alembic's template; None for any other file."""
    opening = _DOCSTRING.match(text)
    start, doc = (opening.end(), opening[opening.lastindex or 0]) if opening else (0, None)
    end = top.end() if (top := _TOP.match(text, start)) else start
    assignments = _ASSIGNMENTS.findall(text, start, end)
    found: dict[str, str | None] = {}
    for name, none, one, two in assignments:
        found[name] = None if none else one or two
    if len(found) < len(assignments):
        return None
    revision = found.get("revision")
    if revision is None or "down_revision" not in found or not _is_usual(text, end):
        return None
    return Header(
        revision,
        found["down_revision"],
        found.get("depends_on"),
        found.get("branch_labels"),
        found.get("phase"),
        _as_compiled(doc),
    )


def _is_usual(text: str, position: int) -> bool:
    """Return whether the text from this position on has nothing that needs a closer look."""
    words = (
        _WORD.findall(text, position)
        if text.isascii()
        else _WORD.findall(normalize("NFKC", text[position:]))  # as Python reads names
    )
    return (
        _TELLTALES.isdisjoint(words)
        and _UNUSUAL.search(text, position) is None
        and "\f" not in text
        and "\0" not in text
    )


def _thorough(text: str) -> Header | None:
    """Read the file's syntax tree; None if the tree does not tell the header."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python shows its warnings when the file is imported
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found: dict[str, Names] = {}
    plain: set[ast.Name] = set()
    for statement in tree.body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(name) as target], value=value)
                | ast.AnnAssign(target=ast.Name(name) as target, value=ast.expr() as value)
            ) if name in _NAMES:
                try:
                    found[name] = _literal(value)
                except ValueError:
                    return None
                plain.add(target)
            case ast.AnnAssign(target=ast.Name() as target, value=None):
                plain.add(target)
            case (
                ast.Import()
                | ast.ImportFrom()
                | ast.Assign()
                | ast.AnnAssign()
                | ast.Pass()
                | ast.Expr(ast.Constant())
                | ast.ClassDef(decorator_list=[])
                | ast.FunctionDef(decorator_list=[])
                | ast.AsyncFunctionDef(decorator_list=[])
            ):
                pass
            case _:
                return None
    revision, phase = found.get("revision"), found.get("phase")
    if not isinstance(revision, str) or isinstance(phase, tuple) or "down_revision" not in found:
        return None
    if any(_may_set_name(node) for node in ast.walk(tree) if node not in plain):
        return None
    return Header(
        revision,
        found["down_revision"],
        found.get("depends_on"),
        found.get("branch_labels"),
        phase,
        _as_compiled(ast.get_docstring(tree, clean=False)),
    )


def _literal(value: ast.expr) -> Names:
    """Return the value of a literal expression. Raises ValueError if it has to be computed."""
    match value:
        case ast.Constant(None):
            return None
        case ast.Constant(str(text)) if text:
            return text
        case ast.Tuple(elements) | ast.List(elements):
            texts = [_literal(element) for element in elements]
            names = tuple(text for text in texts if isinstance(text, str))
            if len(names) == len(texts):
                return names
    raise ValueError


def _may_set_name(node: ast.AST) -> bool:
    """Return whether a node binds a header's name, or changes the module in a hidden way."""
    match node:
        case ast.Name(name, ctx):
            is_read = isinstance(ctx, ast.Load)
            return name in _REFLECTION or (name in _NAMES and not is_read)
        case ast.Attribute(attr=name, ctx=ctx):
            is_read = isinstance(ctx, ast.Load)
            return name in _REFLECTION or (name in _NAMES and not is_read)
        case ast.alias(name, asname):
            bound = asname or name.partition(".")[0]
            return name == "*" or bound in _NAMES or bool({name, bound} & _REFLECTION)
        case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
            return name in _NAMES or name in _REFLECTION
        case ast.Global(names):
            return not _NAMES.isdisjoint(names)
        case ast.ExceptHandler(name=name) | ast.MatchAs(name=name) | ast.MatchStar(name=name):
            return name in _NAMES
        case ast.MatchMapping(rest=name):
            return name in _NAMES
    return False


def _as_compiled(doc: str | None) -> str | None:
    """Return a docstring as the running Python stores it: since 3.13 without its indentation."""
    return inspect.cleandoc(doc) if doc and _CLEANS_DOCSTRINGS else doc
