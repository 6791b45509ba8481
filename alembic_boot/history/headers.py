"""Read a revision from its file without importing the file.

Only plain literals that nothing else in the file can change are read. For any other file the answer
is None, and Alembic has to import the file. The rules prefer None: a wrong None costs a few
milliseconds, a wrong answer would be a wrong history.
"""

import ast
import os
import re
from collections.abc import Mapping
from unicodedata import normalize

from alembic_boot.history.checksum import file_sha256
from alembic_boot.history.history import Revision, title
from alembic_boot.history.source import parse

Names = str | tuple[str, ...] | None
"""An id or label, several of them, or none, in the forms that Alembic accepts."""

_PIECE = 1 << 20
"""Bytes to read from a file at once: most files are smaller."""

_NAMES = frozenset({"revision", "down_revision", "depends_on", "branch_labels", "phase"})

_NAME = "|".join(sorted(_NAMES))

_REFLECTION = frozenset(
    [
        *("globals", "locals", "vars", "exec", "eval", "setattr", "delattr", "modules"),
        *("f_globals", "f_locals", "__import__", "__dict__", "__globals__", "__builtins__"),
        *("__main__", "__doc__", "__getattr__"),
    ]
)
"""Names by which code can set a module's names without writing them down."""

_TRAPS = _NAMES | _REFLECTION | {"*"}
"""Names that code outside of the header must not bind."""

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


def is_source(name: str) -> bool:
    """Return whether Alembic reads a file of this name as the source of a revision."""
    return name.endswith(".py") and not name.startswith((".#", "__init__")) and name != ".py"


def read_file(path: str) -> Revision | None:
    """Return the revision in a file; None if only an import can tell it. Raises OSError."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # `open` would take half as long again
    try:
        source = b""
        while piece := os.read(file, _PIECE):
            source += piece
    finally:
        os.close(file)
    return read_revision(source, path)


def read_revision(source: bytes, path: str) -> Revision | None:
    """Return the revision of a source in which depends_on and labels are as they are written.

    None if only an import can tell it.
    """
    try:
        text = source.decode().removeprefix("\ufeff")
    except UnicodeDecodeError:
        return None
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if _DECLARED_ENCODING.match(text):
        return None
    found = _quick(text) or _thorough(text)
    if found is None:
        return None
    names, doc = found
    revision, phase = names.get("revision"), names.get("phase")
    if not isinstance(revision, str) or isinstance(phase, tuple) or "down_revision" not in names:
        return None
    parents, needed, labels = (
        (it,) if isinstance(it, str) else it or ()
        for it in map(names.get, ("down_revision", "depends_on", "branch_labels"))
    )
    sha256 = file_sha256(source)
    return Revision(revision, parents, title(doc, revision), needed, labels, phase, path, sha256)


Found = tuple[Mapping[str, Names], str | None]
"""The header's names with their values, and the docstring."""


def _quick(text: str) -> Found | None:
    """Read a file in the form of Alembic's template; None for any other file."""
    opening = _DOCSTRING.match(text)
    start, doc = (opening.end(), opening[opening.lastindex or 0]) if opening else (0, None)
    end = top.end() if (top := _TOP.match(text, start)) else start
    assignments = _ASSIGNMENTS.findall(text, start, end)
    found = {name: None if none else one or two for name, none, one, two in assignments}
    is_plain = len(found) == len(assignments) and found.get("revision") and "down_revision" in found
    return (found, doc) if is_plain and _is_usual(text, end) else None


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


def _thorough(text: str) -> Found | None:
    """Read the file's syntax tree; None if the tree does not tell the header."""
    try:
        tree = parse(text)
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
    if any(_may_set_name(node) for node in ast.walk(tree) if node not in plain):
        return None
    return found, ast.get_docstring(tree, clean=False)


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
    """Return whether a node may bind a header's name, or change the module in a hidden way."""
    names = [it for it in vars(node).values() if isinstance(it, str)]
    if isinstance(node, ast.Global):
        names = node.names
    if not names or isinstance(node, ast.Constant | ast.keyword | ast.arg):
        return False
    is_read = isinstance(getattr(node, "ctx", None), ast.Load)
    traps = _REFLECTION if is_read else _TRAPS
    return any(it.partition(".")[0] in traps for it in names)
