"""The text of SQL, taken apart as PostgreSQL's own scanner does it; nothing is asked of a server.

What a word means depends on where it stands: `DROP ROLE` in a string or a comment drops nothing.
"""

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import islice
from typing import NamedTuple

# PostgreSQL's classes, which are not Python's: whatever is not ASCII may be part of a name.
_SCANNER = re.compile(
    r"""
      (?P<nothing> [ \t\n\r\f\v]+ | --[^\n\r]* )
    | (?P<comment> /\* )
    | (?P<string>
          [eE]'(?:[^'\\]|\\.|'')*(?:'|\Z) (?: [ \t\f\v]*[\n\r]\s*'(?:[^'\\]|\\.|'')*(?:'|\Z) )*
        | (?:[bBnNxX]|[uU]&)?'(?:[^']|'')*(?:'|\Z) (?: [ \t\f\v]*[\n\r]\s*'(?:[^']|'')*(?:'|\Z) )*
        | (?P<quotes>\$(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*)?\$)
          .*? (?:(?P=quotes)|\Z) )
    | (?P<quoted> (?:[uU]&)?"(?:[^"]|"")*(?:"|\Z) )
    | (?P<word> [A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]* )
    | (?P<other> \d[\w.]* | \$\d+ | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_SIGNS = re.compile(r"/\*|\*/")

_PIECES = re.compile(r"'((?:[^'\\]|\\.|'')*)'?\s*", re.DOTALL)
_PLAIN_PIECES = re.compile(r"'((?:[^']|'')*)'?\s*")
_ESCAPES = re.compile(
    r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{1,2})|([0-7]{1,3})|(.))", re.DOTALL
)
_CONTROLS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_CODE_POINTS = re.compile(r"\\(?:\+([0-9a-fA-F]{6})|([0-9a-fA-F]{4})|(\\))")

_HIDDEN = "'…'"


class Kind(StrEnum):
    """What a token is."""

    WORD = "word"
    """A key word, or a name without quotes."""
    QUOTED = "quoted"
    """A name in quotes."""
    STRING = "string"
    """A constant in quotes of any kind, dollars too."""
    OTHER = "other"
    """A number, a parameter, or one sign."""


class Token(NamedTuple):
    """A piece of a statement as it is written, and where it begins."""

    kind: Kind
    text: str
    start: int

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.start + len(self.text)

    @property
    def name(self) -> str:
        """The name that a word or a quoted name stands for, as the catalogue has it."""
        if self.kind is Kind.WORD:
            return self.text.lower()
        name = self.text.partition('"')[2].removesuffix('"').replace('""', '"')
        return _unescaped(name) if self.text[0] in "uU" else name

    @property
    def value(self) -> str:
        """What a string says."""
        prefix = self.text[0]
        if prefix == "$":
            quotes = self.text[: self.text.index("$", 1) + 1]
            return self.text.removeprefix(quotes).removesuffix(quotes)
        text = self.text[self.text.index("'") :]
        if prefix in "eE":
            joined = "".join(_PIECES.findall(text)).replace("''", "'")
            return _ESCAPES.sub(_escaped, joined)
        value = "".join(_PLAIN_PIECES.findall(text)).replace("''", "'")
        return _unescaped(value) if prefix in "uU" else value

    def says(self, *words: str) -> bool:
        """Whether it is one of these words, which are given in capitals, or one of these signs."""
        return self.kind in (Kind.WORD, Kind.OTHER) and self.text.upper() in words


def tokens(text: str) -> list[Token]:
    """Return the tokens of a text, without comments; what is not closed goes on to the end."""
    return list(_tokens(text))


def first_tokens(text: str, most: int) -> list[Token]:
    """Return the first of them, without reading on: a statement may be long."""
    return list(islice(_tokens(text), most))


def statements(text: str) -> list[list[Token]]:
    """Return the tokens of each statement in a text, without the semicolons between them.

    One in parentheses ends none; one of a function's body in standard SQL does.
    """
    found: list[list[Token]] = [[]]
    depth = 0
    for token in _tokens(text):
        depth += token.says("(") - token.says(")")
        if token.says(";") and depth <= 0:
            found.append([])
        else:
            found[-1].append(token)
    return [it for it in found if it]


def without_values(statement: Sequence[Token]) -> str:
    """Return tokens on one line, with what strings say left out: it may be a secret."""
    line, end = "", statement[0].start if statement else 0
    for token in statement:
        gap = " " if token.start > end else ""
        line += gap + (_HIDDEN if token.kind is Kind.STRING else " ".join(token.text.split()))
        end = token.end
    return line


def _tokens(text: str) -> Iterator[Token]:
    place = 0
    while match := _SCANNER.match(text, place):
        place = match.end()
        if match["comment"]:
            place = _comment_end(text, place)
        elif not match["nothing"]:
            # Of a group in another one it is the outer that ends last.
            yield Token(Kind(str(match.lastgroup)), match[0], match.start())


def _comment_end(text: str, place: int) -> int:
    """Return where a comment ends that begins before the place; there may be others in it."""
    depth = 1
    while depth and (sign := _COMMENT_SIGNS.search(text, place)):
        depth += 1 if sign[0] == "/*" else -1
        place = sign.end()
    return len(text) if depth else place


def _escaped(match: re.Match[str]) -> str:
    short, long, hexadecimal, octal, letter = match.groups()
    if letter is not None:
        return _CONTROLS.get(letter, str(letter))
    return _character(int(octal, 8) if octal else int(short or long or hexadecimal, 16))


def _unescaped(text: str) -> str:
    """Return what is written with `U&` before it."""
    return _CODE_POINTS.sub(
        lambda match: match[3] or _character(int(match[1] or match[2], 16)), text
    )


def _character(code: int) -> str:
    return chr(code) if code <= 0x10FFFF else "\N{REPLACEMENT CHARACTER}"
