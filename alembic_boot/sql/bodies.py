"""Find the SQL in the body of a function or a block (`DO`), and in an EXECUTE.

A body in SQL is a text like any other. The parser does not take PL/pgSQL. So a body in PL/pgSQL is
cut into pieces, and the parser reads each piece that may be a statement.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from alembic_boot.sql.parser import Node, Statement, read
from alembic_boot.sql.pieces import Kind, Piece, begins_with, parts

_STARTS = ("BEGIN", "THEN", "ELSE", "LOOP", ">", "IN", "FOR", "QUERY")
"""Words after which a statement may start. `>` is the end of a label."""

_VARIABLE = (":", "=", ".", "[")
"""Signs behind a first word that is a variable, which may be called `comment`."""

_NO_TEXT = ("FUNCTION", "PROCEDURE", "ON")
"""Words after an EXECUTE that runs no text: a trigger's, or a privilege."""

_FORMAT = re.compile(r"%{1,2}(?:\d+\$)?-?\d*(?P<type>[sIL])")  # a driver's `%%` is a `%`

FILLED_IN = "\N{REPLACEMENT CHARACTER}"
"""Stands for a part of a text that only shows when the text runs. For the parser it is a name."""


@dataclass(frozen=True)
class Body:
    """The body of a function or a block, as text."""

    language: str
    text: str
    """Empty if only the driver knows the text."""


@dataclass(frozen=True)
class Executed:
    """A text that an EXECUTE of PL/pgSQL runs."""

    source: str
    """The EXECUTE as it is written."""
    text: str
    """The text that runs. Parts of the text that only show when it runs have another name."""
    is_constant: bool


def body_of(statement: Statement) -> Body | None:
    """Return the body of a function or a block, if the body is a text.

    A body in standard SQL (`BEGIN ATOMIC`) is a part of the tree.
    """
    match statement.kind:
        case "DoStmt":
            options, language = _options(statement.node["args"]), "plpgsql"
        case "CreateFunctionStmt":
            options, language = _options(statement.node.get("options", [])), "sql"
        case _:
            return None
    match options.get("as"):
        case {"String": string} | {"List": {"items": [{"String": string}, *_]}}:
            language = options.get("language", {}).get("String", {}).get("sval", language)
            return Body(language.lower(), string.get("sval", ""))
    return None


def statements_in(body: str) -> Iterator[str]:
    """Give the texts in a body of PL/pgSQL that may be statements."""
    for part in parts(body):
        starts = [place + 1 for place, piece in enumerate(part) if piece.says(*_STARTS)]
        for candidate in (part[start:] for start in (0, *starts)):
            statement = _until(candidate, "RETURNING")  # an INTO behind it is no SQL
            if statement and not any(it.says(*_VARIABLE) for it in statement[1:2]):
                yield _as_sql(_text(body, statement))


def executed_in(body: str) -> Iterator[Executed]:
    """Give the texts that a body of PL/pgSQL runs by EXECUTE."""
    for part in parts(body):
        for place, piece in enumerate(part):
            rest = part[place + 1 :]
            if piece.says("EXECUTE") and not (rest and rest[0].says(*_NO_TEXT)):
                expression = _until(rest, "INTO", "USING", "LOOP")
                source = _text(body, [piece, *expression])
                node = _expression(_text(body, expression) if expression else "")
                yield Executed(source, _template(node), constant(node) is not None)


def calls_in(body: str) -> Iterator[tuple[str, str]]:
    """Give the functions that a body of PL/pgSQL calls: each name, and the text from there."""
    for part in parts(body):
        for place, (piece, after) in enumerate(pairwise(part)):
            if piece.kind in (Kind.WORD, Kind.QUOTED) and after.says("("):
                yield _function(piece), _text(body, part[place:])


def constant(node: Node) -> str | None:
    """Return the text of a string constant; None if a node is something else."""
    match node:
        case {"A_Const": {"sval": string}}:
            return str(string.get("sval", ""))
    return None


def _options(elements: list[Node]) -> dict[str, Node]:
    return {it["DefElem"]["defname"]: it["DefElem"].get("arg", {}) for it in elements}


def _until(part: Sequence[Piece], *words: str) -> Sequence[Piece]:
    """Return the pieces before one of the words, as far as no parentheses are open there."""
    depth = 0
    for place, piece in enumerate(part):
        depth += piece.says("(") - piece.says(")")
        if not depth and piece.says(*words):
            return part[:place]
    return part


def _as_sql(text: str) -> str:
    return f"SELECT {text[len('PERFORM') :]}" if begins_with(text, "PERFORM") else text


def _text(body: str, part: Sequence[Piece]) -> str:
    return body[part[0].start : part[-1].end]


def _expression(text: str) -> Node:
    """Return the tree of an expression; an empty one if the parser cannot read it."""
    match read(f"SELECT {text}"):
        case [Statement(node={"targetList": [{"ResTarget": {"val": dict(node)}}]})]:
            return node
    return {}


def _template(node: Node) -> str:
    """Return the text that an expression puts together, with a name for each unknown part."""
    match node:
        case {"A_Const": {"sval": string}}:
            return str(string.get("sval", ""))
        case {"A_Expr": {"name": [{"String": {"sval": "||"}}], "lexpr": left, "rexpr": right}}:
            return _template(left) + _template(right)
        case {"FuncCall": {"funcname": [*_, {"String": {"sval": "format"}}], "args": [first, *_]}}:
            return _FORMAT.sub(_placeholder, _template(first))
    return FILLED_IN


def _placeholder(match: re.Match[str]) -> str:
    return f"'{FILLED_IN}'" if match["type"] == "L" else FILLED_IN


def _function(piece: Piece) -> str:
    """Return a function's own name, as the catalogue has it."""
    if piece.kind is Kind.WORD:
        return piece.text.lower()
    match _expression(f"{piece.text}()"):
        case {"FuncCall": {"funcname": [*_, {"String": {"sval": name}}]}}:
            return str(name)
    return piece.text
