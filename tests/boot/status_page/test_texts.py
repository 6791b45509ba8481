"""The words of the status page."""

from datetime import UTC, datetime, timedelta, timezone
from string import Formatter

import pytest

from alembic_boot.status_page.drawing.icons import TONES
from alembic_boot.status_page.drawing.texts import LANGUAGES, TEXTS, Words, shortened, written
from alembic_boot.status_page.report import Condition, RevisionStatus, StageStatus


@pytest.mark.parametrize("key", TEXTS)
def test_each_language_has_each_text(key: str) -> None:
    """With the same placeholders."""
    texts = TEXTS[key]
    assert len(texts) == len(LANGUAGES)
    assert all(texts)
    first, *others = [
        {field for _, field, _, _ in Formatter().parse(text) if field} for text in texts
    ]
    assert others == [first] * len(others)


@pytest.mark.parametrize("status", [*Condition, *StageStatus, *RevisionStatus])
def test_each_status_has_a_word_and_a_shape(status: str) -> None:
    assert status in TEXTS
    assert status in TONES


@pytest.mark.parametrize("word", ["as_of", "toString", "{at}", ""])
def test_unknown_words_stay_as_they_are(word: str) -> None:
    assert Words("ko").known(word) == word


@pytest.mark.parametrize(
    ("seconds", "english", "korean"),
    [
        (-1, "0.00 s", "0.00초"),
        (0.042, "0.04 s", "0.04초"),
        (9.96, "10.0 s", "10.0초"),
        (59.7, "1 min", "1분"),
        (75, "1 min 15 s", "1분 15초"),
        (3600, "1 h", "1시간"),
        (11_520, "3 h 12 min", "3시간 12분"),
        (90_000, "1 d 1 h", "1일 1시간"),
    ],
)
def test_durations_have_two_units(seconds: float, english: str, korean: str) -> None:
    assert [Words(it).duration(seconds) for it in ("en", "ko")] == [english, korean]


def test_times_have_their_zone() -> None:
    at = datetime(2026, 12, 1, 6, 35, 19, tzinfo=UTC)
    assert written(at) == "2026-12-01 06:35:19 UTC"
    seoul = at.astimezone(timezone(timedelta(hours=9)))
    assert written(seoul) == "2026-12-01 15:35:19 UTC+09:00"


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("dragons", 7, "dragons"),
        ("dragons", 6, "drago…"),
        ("용과 기사", 6, "용과…"),
        ("a" * 1_000_000, 3, "aa…"),
    ],
)
def test_long_texts_are_cut(text: str, width: float, shown: str) -> None:
    assert shortened(text, width) == shown
