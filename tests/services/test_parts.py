"""Parts of a book that was sent: counted whatever else is wrong with it."""

from typing import Any

import pytest

from backend.schemas import parts
from backend.schemas.parts import TooManyPartsError, require_few_parts


@pytest.mark.parametrize(
    ("book", "count"),
    [
        ({"pages": [{}] * 11}, 11),
        ({"pages": [1] * 11}, 11),
        ({"pages": [{"dialogues": [{}] * 5}] * 2}, 12),
        ({"pages": [{"dialogues": [{"translations": [1, 2, 3], "audios": [{}] * 6}]}]}, 11),
        ({"pages": [{"dialogues": [1, {"translations": [None] * 9}]}, 7]}, 13),
    ],
)
def test_too_many(monkeypatch: pytest.MonkeyPatch, book: Any, count: int) -> None:
    monkeypatch.setattr(parts, "MOST_PARTS", 10)
    with pytest.raises(TooManyPartsError, match=f"would have {count} parts"):
        require_few_parts(book)


@pytest.mark.parametrize(
    "book",
    [
        None,
        [],
        "pages",
        {"pages": None},
        {"pages": {"dialogues": [{}] * 20}},
        {"pages": [{}] * 10},
        {"pages": [{"dialogues": "many of them!"}], "more": [{}] * 20},
        {"pages": [{"dialogues": [{"translations": [1, 2], "audios": [{}] * 6}]}]},
    ],
)
def test_few_enough(monkeypatch: pytest.MonkeyPatch, book: Any) -> None:
    monkeypatch.setattr(parts, "MOST_PARTS", 10)
    require_few_parts(book)
