"""Cut a text of SQL into its words, strings and signs. Comments are left out.

This is for the texts that the parser does not take: names for the log, bodies in PL/pgSQL, and
texts that are too long or too new. Every other question goes to the parser.
"""

import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from itertools import islice
from typing import NamedTuple

# PostgreSQL's classes differ from Python's: a character that is not ASCII may be part of a name.
_PIECE = re.compile(
    r"""
      (?P<gap> [ \t\n\r\f\v]+ | --[^\n\r]* )
    | (?P<comment> /\* )
    | (?P<string>
          [eE]'(?:[^'\\]|\\.|'')*(?:'|\Z) (?: [ \t\f\v]*[\n\r]\s*'(?:[^'\\]|\\.|'')*(?:'|\Z) )*
        | (?:[bBnNxX]|[uU]&)?'(?:[^']|'')*(?:'|\Z) (?: [ \t\f\v]*[\n\r]\s*'(?:[^']|'')*(?:'|\Z) )*
        | (?P<quotes>\$(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*)?\$)
          .*? (?:(?P=quotes)|\Z) )
    | (?P<quoted> (?:[uU]&)?"(?:[^"]|"")*(?:"|\Z) )
    | (?P<word> [A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]* )
    | (?P<sign> \d[\w.]* | \$\d+ | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_SIGNS = re.compile(r"/\*|\*/")

_LONGEST_NAME = 80
"""Characters."""


class Kind(StrEnum):
    """The kinds of pieces."""

    WORD = "word"
    """A key word, or a name without quotes."""
    QUOTED = "quoted"
    """A name in quotes."""
    STRING = "string"
    """A constant in quotes of any kind, dollars too."""
    SIGN = "sign"
    """A number, a parameter, or one other character."""


class Piece(NamedTuple):
    """A piece of a text as it is written, and the place where it starts."""

    kind: Kind
    text: str
    start: int

    @property
    def end(self) -> int:
        """Return the place behind the piece."""
        return self.start + len(self.text)

    def says(self, *words: str) -> bool:
        """Return whether the piece is one of these words (in capitals) or signs."""
        return self.kind in (Kind.WORD, Kind.SIGN) and self.text.upper() in words


def pieces(text: str) -> Iterator[Piece]:
    """Give the pieces of a text. A string that is not closed goes on to the end."""
    place = 0
    while match := _PIECE.match(text, place):
        place = match.end()
        if match["comment"]:
            place = _comment_end(text, place)
        elif not match["gap"]:
            # Of two groups, one in the other, the outer one ends last.
            yield Piece(Kind(str(match.lastgroup)), match[0], match.start())


def begins_with(text: str, *words: str) -> bool:
    """Return whether the first word of a text is one of these (in capitals)."""
    return any(piece.says(*words) for piece in islice(pieces(text), 1))


def parts(text: str) -> Iterator[list[Piece]]:
    """Give the pieces between the semicolons of a text. Semicolons in parentheses do not count."""
    part: list[Piece] = []
    depth = 0
    for piece in pieces(text):
        depth += piece.says("(") - piece.says(")")
        if not piece.says(";") or depth > 0:
            part.append(piece)
        elif part:
            yield part
            part, depth = [], 0
    if part:
        yield part


def name_of(statement: str) -> str:
    """Return the beginning of a statement on one line, with `…` in place of its values.

    A value may be a secret, and the name stands in the journal, in the log and in messages.
    """
    line = _line(
        statement, _LONGEST_NAME + 1, "…", lambda it: it.kind is Kind.STRING or it.text[0].isdigit()
    ).rstrip(" ;")
    return line if len(line) <= _LONGEST_NAME else f"{line[: _LONGEST_NAME - 1].rstrip()}…"


def without_strings(text: str, most: int) -> str:
    """Return the first characters of a text on one line, with `'…'` in place of its strings."""
    return _line(text, most, "'…'", lambda it: it.kind is Kind.STRING)[:most]


def _line(text: str, most: int, sign: str, is_hidden: Callable[[Piece], bool]) -> str:
    """Return the first pieces of a text on one line, with a sign for each hidden one.

    The rest is not read: a text may be long.
    """
    line, end = "", 0
    for piece in islice(pieces(text), most):
        gap = " " if line and piece.start > end else ""
        line += gap + (sign if is_hidden(piece) else " ".join(piece.text.split()))
        end = piece.end
    return line


def _comment_end(text: str, place: int) -> int:
    """Return the end of a comment that starts before the place. Comments may be nested."""
    depth = 1
    while depth and (sign := _COMMENT_SIGNS.search(text, place)):
        depth += 1 if sign[0] == "/*" else -1
        place = sign.end()
    return len(text) if depth else place
