"""Find the SQL in the body of a function or a block (`DO`), and in an EXECUTE.

A body in SQL is a text like any other. The parser does not take PL/pgSQL. So a body in PL/pgSQL is
cut into pieces, and the parser reads each piece that may be a statement.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from alembic_boot.sql.parser import FILLED_IN, Node, Statement, read
from alembic_boot.sql.pieces import Kind, Piece, begins_with, parts

_PLPGSQL = "plpgsql"
_DEFAULT_LANGUAGES = {"DoStmt": _PLPGSQL, "CreateFunctionStmt": "sql"}

_STARTS = ("BEGIN", "THEN", "ELSE", "LOOP", ">", "IN", "FOR", "QUERY")
"""Words of PL/pgSQL after which a statement may start. `>` is the end of a label."""

_DEFINING = (
    *("CREATE", "ALTER", "DROP", "GRANT", "REVOKE", "COMMENT", "SECURITY", "REASSIGN"),
    *("COPY", "LOAD", "IMPORT"),
)
"""First words of the statements that count even if the parser cannot read them."""

_VARIABLE = (":", "=", ".", "[")
"""Signs behind a first word that is a variable, which may be called `comment`."""

_NO_TEXT = ("FUNCTION", "PROCEDURE", "ON")
"""Words after an EXECUTE that runs no text: a trigger's, or a privilege."""

_FORMAT = re.compile(r"%{1,2}(?:\d+\$)?-?\d*(?P<type>[sIL])")  # a driver's `%%` is a `%`


class Inner(NamedTuple):
    """A text that a function or a block runs."""

    text: str
    source: str | None = None
    """The words that put the text together when it runs; None if the text is as it is written."""


def body_of(statement: Statement) -> tuple[str, str] | None:
    """Return the language and the text of a body; None if a statement has none.

    A text that only the driver knows is FILLED_IN. A body in standard SQL (`BEGIN ATOMIC`) is a
    part of the tree, and no text.
    """
    if statement.kind not in _DEFAULT_LANGUAGES:
        return None
    elements = statement.node.get("args") or statement.node.get("options", [])
    options = {it["DefElem"]["defname"]: it["DefElem"].get("arg", {}) for it in elements}
    match options.get("as"):
        case {"String": string} | {"List": {"items": [{"String": string}, *_]}}:
            language = options.get("language", {}).get("String", {}).get("sval")
            return (language or _DEFAULT_LANGUAGES[statement.kind]).lower(), string.get("sval", "")
    return None


def inner_texts(statement: Statement) -> Iterator[Inner]:
    """Give the texts that a function or a block runs. An unknown text is FILLED_IN."""
    body = body_of(statement)
    if body is None:
        return
    language, text = body
    if language not in ("sql", _PLPGSQL) or text == FILLED_IN:
        yield Inner(FILLED_IN, statement.text())
    elif language == "sql" and text:
        yield Inner(text)
    elif text:
        yield from map(Inner, _statements(text))
        yield from _executed(text)


def inner_calls(statement: Statement) -> Iterator[tuple[str, str]]:
    """Give the calls in a body of PL/pgSQL: each function's name, and the text from there."""
    language, body = body_of(statement) or ("", "")
    for part in parts(body) if language == _PLPGSQL else ():
        for place, (piece, after) in enumerate(pairwise(part)):
            if piece.kind in (Kind.WORD, Kind.QUOTED) and after.says("("):
                yield _function(piece), _text(body, part[place:])


def constant(node: Node) -> str | None:
    """Return the text of a string constant; None if a node is something else."""
    match node:
        case {"A_Const": {"sval": string}}:
            return str(string.get("sval", ""))
    return None


def _statements(body: str) -> Iterator[str]:
    for part in parts(body):
        starts = [place + 1 for place, piece in enumerate(part) if piece.says(*_STARTS)]
        for candidate in (part[start:] for start in (0, *starts)):
            statement = _until(candidate, "RETURNING")  # an INTO behind it is no SQL
            if not statement or any(it.says(*_VARIABLE) for it in statement[1:2]):
                continue
            text = _as_sql(_text(body, statement))
            if read(text) is not None or begins_with(text, *_DEFINING):
                yield text


def _executed(body: str) -> Iterator[Inner]:
    for part in parts(body):
        for place, piece in enumerate(part):
            rest = part[place + 1 :]
            if not rest or not piece.says("EXECUTE") or rest[0].says(*_NO_TEXT):
                continue
            expression = _until(rest, "INTO", "USING", "LOOP")
            node = _expression(_text(body, expression) if expression else "")
            source = _text(body, [piece, *expression])
            yield Inner(_template(node), None if constant(node) is not None else source)


def _until(part: Sequence[Piece], *words: str) -> Sequence[Piece]:
    """Return the pieces before one of the words, as far as no parentheses are open there."""
    depth = 0
    for place, piece in enumerate(part):
        depth += piece.says("(") - piece.says(")")
        if not depth and piece.says(*words):
            return part[:place]
    return part


def _text(body: str, part: Sequence[Piece]) -> str:
    return body[part[0].start : part[-1].end]


def _as_sql(text: str) -> str:
    return f"SELECT {text[len('PERFORM') :]}" if begins_with(text, "PERFORM") else text


def _expression(text: str) -> Node:
    """Return the tree of an expression; an empty one if the parser cannot read it."""
    match read(f"SELECT {text}"):
        case [Statement(node={"targetList": [{"ResTarget": {"val": dict(node)}}]})]:
            return node
    return {}


def _template(node: Node) -> str:
    """Return the text that an expression puts together, with FILLED_IN for each unknown part.

    Most functions give their first argument, changed.
    """
    end = ""
    while True:  # not by recursion: the tree is as deep as the chain is long
        match node:
            case {"A_Expr": {"name": [{"String": {"sval": "||"}}], "lexpr": left, "rexpr": right}}:
                node, end = left, _template(right) + end
            case {"A_Const": {"sval": string}}:
                return str(string.get("sval", "")) + end
            case {"TypeCast": {"arg": text}}:
                return _template(text) + end
            case {"FuncCall": {"funcname": [*_, {"String": {"sval": name}}], "args": arguments}}:
                return _returned(name, arguments) + end
            case _:
                return FILLED_IN + end


def _returned(function: str, arguments: list[Node]) -> str:
    match function:
        case "format":
            return _FORMAT.sub(
                lambda it: f"'{FILLED_IN}'" if it["type"] == "L" else FILLED_IN,
                _template(arguments[0]),
            )
        case "concat":
            return "".join(map(_template, arguments))
        case "quote_literal" | "quote_nullable":
            return f"'{FILLED_IN}'"
    return _template(arguments[0])


def _function(piece: Piece) -> str:
    if piece.kind is Kind.WORD:
        return piece.text.lower()
    match _expression(f"{piece.text}()"):
        case {"FuncCall": {"funcname": [*_, {"String": {"sval": name}}]}}:
            return str(name)
    return piece.text
