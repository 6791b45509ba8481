"""The statements that have worked: if one of them fails, what it was sent may decide."""

import re

_MOST = 4096
"""Statements that are remembered, by their hashes; then it begins anew."""

# What psycopg2 and psycopg take as a parameter, and the percent sign that is none.
PARAMETER = re.compile(r"%(?P<percent>%)|%(\((?P<name>[^)]*)\))?s")

# SQLAlchemy writes a group of values for each row that it inserts, with numbers in the names.
_NUMBER = re.compile(r"\d+")
_ROWS = re.compile(r"(\([^()]*\))(?:,\s*\1)+")


def shape_of(statement: str) -> int:
    """Return a hash of a statement, which is the same for any values and any number of rows."""
    without_values = _NUMBER.sub("0", PARAMETER.sub("?", statement))
    return hash(_ROWS.sub(r"\1", without_values))


class Worked:
    """The statements that have worked since it was cleared."""

    def __init__(self) -> None:
        self._texts: set[int] = set()
        self._shapes: set[int] = set()

    def add(self, statement: str) -> None:
        """Remember a statement. The same text costs no more than its hash the next time."""
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
