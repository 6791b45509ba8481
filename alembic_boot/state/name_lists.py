"""Lists of names in sentences."""

from collections.abc import Sequence


def some(names: Sequence[str], most: int = 5) -> str:
    """Return the first of several names, and the number of further ones."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def listed(revisions: Sequence[str]) -> str:
    """Return the first three of several revisions, or base."""
    return some(revisions, 3) or "base"


def are(revisions: Sequence[str]) -> str:
    """Return the verb for one revision or for several."""
    return "is" if len(revisions) == 1 else "are"
