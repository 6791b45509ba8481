"""Mask and shorten every text of a report, whatever it came from."""

from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from alembic_boot.masking import mask

T = TypeVar("T")

LONGEST = 2_000
"""Characters of one text."""


def bounded(value: T, longest: int = LONGEST) -> T:
    """Return the same data, with each text masked and at most that long."""
    seen: dict[str, str] = {}

    def text(original: str) -> str:
        if original not in seen:
            # First masked: the rest of a password that is cut would not be recognised.
            masked = mask(original[: 2 * longest])
            seen[original] = masked if len(masked) <= longest else f"{masked[: longest - 1]}…"
        return seen[original]

    def walk(it: Any) -> Any:
        if type(it) is str:
            return text(it)
        if isinstance(it, tuple):
            return tuple(map(walk, it))
        if is_dataclass(it) and not isinstance(it, type):
            return replace(it, **{one.name: walk(getattr(it, one.name)) for one in fields(it)})
        return it

    found: T = walk(value)
    return found
