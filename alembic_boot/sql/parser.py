"""Read SQL with PostgreSQL's own parser, as pgparse (libpg_query) brings it.

It reads the syntax of PostgreSQL 17, but no comment beside a UESCAPE. Its tree has the names of
PostgreSQL's `parsenodes.h`. Its reader of PL/pgSQL is not used: version 1.0.3 aborts the process
at `BEGIN ATOMIC`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

Node = dict[str, Any]

FILLED_IN = "\N{REPLACEMENT CHARACTER}"
"""Stands for a part of a text that only shows when the text runs. For the parser it is a name."""

_LONGEST = 1 << 20
"""Characters of a text that is read. A text of rows costs 0.7 s and 100 MB a MiB."""

_PARAMETER = re.compile(r"%\(\w+\)s|%[sbt]|%%")
"""A driver's parameters. Drivers replace them everywhere, in strings and comments too."""


@dataclass(frozen=True)
class Statement:
    """One statement of a text."""

    kind: str
    """The name of its node, as `AlterTableStmt`."""
    node: Node
    """What the node says. Parts that are empty, false or zero are left out."""
    source: bytes = field(repr=False)
    """The whole text that was parsed. The parser counts bytes."""
    start: int
    end: int

    def text(self, location: int = -1) -> str:
        """Return the statement as it is written, from a location that the tree has."""
        return self.source[max(location, self.start) : self.end].decode()


@lru_cache(maxsize=1)  # several questions are asked of one text, one after the other
def read(text: str) -> tuple[Statement, ...] | None:
    """Return the statements of a text; None if the parser cannot read it, or if it is too long.

    The text is what a driver is given: it may have parameters (`%(name)s`, `%s`, `$1`). A string
    stands for a parameter of `%`, because a string may stand where `$1` may not.
    """
    if len(text) > _LONGEST or "\0" in text:  # the parser would stop at a NUL
        return None
    found = _parsed(text)
    if found is None and "%" in text:
        found = _parsed(_PARAMETER.sub(lambda it: "%" if it[0] == "%%" else f"'{FILLED_IN}'", text))
    return found


def nodes(tree: object) -> Iterator[tuple[str, Any]]:
    """Give each part of a tree, in the order of the text, with the name that it stands under."""
    left = [("", tree)]
    while left:  # not by recursion: a tree may be deep
        name, node = left.pop()
        if name:
            yield name, node
        if isinstance(node, dict):
            left.extend(reversed(node.items()))
        elif isinstance(node, list):
            left.extend(("", it) for it in reversed(node))


def _parsed(text: str) -> tuple[Statement, ...] | None:
    import pgparse

    try:
        tree = pgparse.parse(text)
        return tuple(_statements(tree, text.encode()))
    except (pgparse.PGQueryError, RecursionError, UnicodeError):
        return None  # the tree of a long chain of operators is as deep as the chain is long


def _statements(tree: list[Node], source: bytes) -> Iterator[Statement]:
    for part in tree:
        [(kind, node)] = part["stmt"].items()
        start = part.get("stmt_location", 0)
        yield Statement(kind, node, source, start, start + part.get("stmt_len", len(source)))
