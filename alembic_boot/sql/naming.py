"""Short texts that stand for a statement in the journal, in the log and in messages.

They have no values: a value may be a secret.
"""

from collections.abc import Callable
from itertools import islice

from alembic_boot.sql.pieces import Kind, Piece, pieces

_LONGEST_NAME = 80
"""Characters."""


def name_of(statement: str) -> str:
    """Return the beginning of a statement on one line, with `…` in place of its values."""
    line = _line(statement, _LONGEST_NAME + 1, _without_value).rstrip(" ;")
    return line if len(line) <= _LONGEST_NAME else f"{line[: _LONGEST_NAME - 1].rstrip()}…"


def without_strings(text: str, most: int) -> str:
    """Return the first characters of a text on one line, with `'…'` in place of its strings."""
    return _line(text, most, _without_string)[:most]


def _line(text: str, most: int, shown: Callable[[Piece], str]) -> str:
    """Return the first pieces of a text on one line, without reading on: a text may be long."""
    line, end = "", 0
    for piece in islice(pieces(text), most):
        gap = " " if line and piece.start > end else ""
        line += gap + shown(piece)
        end = piece.end
    return line


def _without_string(piece: Piece) -> str:
    return "'…'" if piece.kind is Kind.STRING else " ".join(piece.text.split())


def _without_value(piece: Piece) -> str:
    is_value = piece.kind is Kind.STRING or piece.text[0].isdigit()
    return "…" if is_value else " ".join(piece.text.split())
