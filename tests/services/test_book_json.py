"""Marks: what is left of a book in one language, or in all."""

import pytest

from backend.services.book_json import has_language, in_language

WORDS = b'\x1d"de"\x1f{"text":"Hallo"}\x1e"en"\x1f{"text":"Hello"}\x1d'
NONE = b"\x1d\x1d"
BOOK = b'{"pages":[{"translations":[' + WORDS + b'],"audios":[' + NONE + b"]}]}"


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (None, b'{"text":"Hallo"},{"text":"Hello"}'),
        ("de", b'{"text":"Hallo"}'),
        ("en", b'{"text":"Hello"}'),
        ("e", b""),
        ("fr", b""),
    ],
)
def test_a_book_in_a_language(language: str | None, words: bytes) -> None:
    expected = b'{"pages":[{"translations":[' + words + b'],"audios":[]}]}'
    assert in_language(BOOK, language) == expected


def test_a_book_without_pages_has_no_marks() -> None:
    assert in_language(b'{"pages":[]}', "de") == b'{"pages":[]}'


@pytest.mark.parametrize(("language", "has"), [("de", True), ("en", True), ("fr", False)])
def test_the_languages_of_a_book(language: str, has: bool) -> None:
    assert has_language(BOOK, language) is has
    assert not has_language(b'{"title":"\\"de\\"","pages":[]}', "de")
