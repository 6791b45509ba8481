"""The parser: PostgreSQL's own, as pgparse (libpg_query) brings it.

It reads the syntax of PostgreSQL 17. Its tree has the names of PostgreSQL's `parsenodes.h`.
Its reader of PL/pgSQL is not used: version 1.0.3 aborts the process at `BEGIN ATOMIC`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_LONGEST = 1 << 20
"""Characters of a text that is read. A text of rows costs 0.7 s and 100 MB a MiB."""

_PARAMETER = re.compile(r"%\(\w+\)s|%s|%%")
"""A driver's parameters. Drivers replace them everywhere, in strings and comments too."""


@dataclass(frozen=True)
class Statement:
    """One statement of a text."""

    kind: str
    """The name of its node, as `AlterTableStmt`."""
    node: dict[str, Any]
    """What the node says. Parts that are empty, false or zero are left out."""


@lru_cache(maxsize=1)  # several questions are asked of one text, one after the other
def read(text: str) -> tuple[Statement, ...] | None:
    """Return the statements of a text; None if the parser cannot read it, or if it is too long.

    The text is what a driver is given: it may have parameters (`%(name)s`, `%s`, `$1`).
    """
    if len(text) > _LONGEST or "\0" in text:  # the parser would stop at a NUL
        return None
    tree = _tree(text)
    if tree is None and "%" in text:
        tree = _tree(_PARAMETER.sub(lambda it: "%" if it[0] == "%%" else "$1", text))
    return None if tree is None else tuple(_statements(tree))


def _tree(text: str) -> list[dict[str, Any]] | None:
    import pgparse

    try:
        return list(pgparse.parse(text))
    except (pgparse.PGQueryError, RecursionError, UnicodeError):
        return None  # the tree of a long chain of operators is as deep as the chain is long


def _statements(tree: list[dict[str, Any]]) -> Iterator[Statement]:
    for part in tree:
        [(kind, node)] = part["stmt"].items()
        yield Statement(kind, node)
