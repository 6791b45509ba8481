"""The parts of a book as it is sent: counted before anything is made of them."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

MOST_PARTS = 10_000
"""Pages, dialogues, translations and recordings of a book, all together."""


class PartsConflictError(Exception):
    """The parts of a book are right one by one, and not together: no schema can say so."""


class TooManyPartsError(PartsConflictError):
    """A book has more parts than a book has room for."""

    def __init__(self, count: int, most: int) -> None:
        super().__init__(
            f"The book would have {count:,} parts, and has room for {most:,} (pages, "
            "dialogues, translations and recordings). Put the rest into another book."
        )


class RepeatedPartError(PartsConflictError):
    """A dialogue has something twice that it has room for once."""


def require_few_parts(book: object) -> None:
    """Return if a book that was sent has not too many parts; nothing else is looked at.

    Raises TooManyPartsError as soon as it is known, with the parts that were counted until then.
    """
    pages = _items([book], "pages")
    _require(len(pages))
    dialogues = _items(pages, "dialogues")
    _require(len(pages) + len(dialogues))
    inside = len(_items(dialogues, "translations")) + len(_items(dialogues, "audios"))
    _require(len(pages) + len(dialogues) + inside)


def _items(parts: Sequence[object], name: str) -> Sequence[Any]:
    """Return what these parts have in their lists of this name."""
    lists = (part.get(name) for part in parts if isinstance(part, dict))
    return list(chain.from_iterable(it for it in lists if isinstance(it, list)))


def _require(count: int) -> None:
    if count > MOST_PARTS:
        raise TooManyPartsError(count, MOST_PARTS)
