"""The statements that have worked: if one of them fails later, a client's data may be the cause."""

import re

_MOST = 4096
"""Statements that are remembered, by their hashes; after that the set starts empty again."""

# The parameters of psycopg2 and psycopg, and the percent sign that is not one.
PARAMETER = re.compile(r"%(?P<percent>%)|%(\((?P<name>[^)]*)\))?s")

# SQLAlchemy writes a group of values per inserted row, with numbers in the names.
_NUMBER = re.compile(r"\d+")
_ROWS = re.compile(r"(\([^()]*\))(?:,\s*\1)+")


def shape_of(statement: str) -> int:
    """Return a hash of a statement, equal for all values and any number of rows."""
    without_values = _NUMBER.sub("0", PARAMETER.sub("?", statement))
    return hash(_ROWS.sub(r"\1", without_values))


class WorkingStatements:
    """The statements that have worked since it was cleared."""

    def __init__(self) -> None:
        self._texts: set[int] = set()
        self._shapes: set[int] = set()

    def add(self, statement: str) -> None:
        """Remember a statement. For a known text this costs only a hash."""
        if (text := hash(statement)) in self._texts:
            return
        if len(self._texts) >= _MOST:
            self.clear()
        self._texts.add(text)
        self._shapes.add(shape_of(statement))

    def has(self, shape: int) -> bool:
        """Return whether a statement with this `shape_of` has worked."""
        return shape in self._shapes

    def clear(self) -> None:
        """Forget all of them."""
        self._texts.clear()
        self._shapes.clear()
