"""Parts of a sent book: counted before any of them is parsed."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

MOST_PARTS = 10_000
"""Largest number of pages, dialogues, translations and recordings of a book together."""


class PartsConflictError(Exception):
    """Each part of the book is valid, but the parts conflict: no schema can express that."""


class TooManyPartsError(PartsConflictError):
    """A book has more parts than its limit."""

    def __init__(self, count: int, most: int) -> None:
        super().__init__(
            f"The book would have {count:,} parts, and has room for {most:,} (pages, "
            "dialogues, translations and recordings). Put the rest into another book."
        )


class RepeatedPartError(PartsConflictError):
    """A dialogue has a part twice that may occur only once."""


def require_few_parts(book: object) -> None:
    """Return if a sent book has at most the allowed number of parts; check nothing else.

    Raises TooManyPartsError as soon as the limit is passed, with the number counted until then.
    """
    pages = _items([book], "pages")
    _require(len(pages))
    dialogues = _items(pages, "dialogues")
    _require(len(pages) + len(dialogues))
    inside = len(_items(dialogues, "translations")) + len(_items(dialogues, "audios"))
    _require(len(pages) + len(dialogues) + inside)


def _items(parts: Sequence[object], name: str) -> Sequence[Any]:
    """Return the items in the lists of this name of all these parts."""
    lists = (part.get(name) for part in parts if isinstance(part, dict))
    return list(chain.from_iterable(it for it in lists if isinstance(it, list)))


def _require(count: int) -> None:
    if count > MOST_PARTS:
        raise TooManyPartsError(count, MOST_PARTS)
