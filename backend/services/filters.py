"""Filters of lists of books."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Text, cast, exists, func, literal, literal_column, or_
from sqlalchemy.dialects.postgresql import TSQUERY

from backend.models import Book, Dialogue, DialogueTranslation, Page
from backend.models.titles import SEPARATED, TITLE_WORDS

_SIMPLE: ColumnElement[str] = literal_column("'simple'")
_NOTHING: ColumnElement[Any] = cast(literal_column("''"), TSQUERY)


@dataclass(frozen=True)
class BookFilters:
    """The filters of a list of books; None lets every book pass."""

    title: str | None = None
    genre: str | None = None
    target_age: str | None = None
    language: str | None = None


def conditions(filters: BookFilters) -> Iterator[ColumnElement[bool]]:
    """Give the condition of each filter that is set."""
    if filters.title is not None:
        yield _has_words(filters.title)
    if filters.genre is not None:
        yield Book.genre == filters.genre
    if filters.target_age is not None:
        yield Book.target_age == filters.target_age
    if filters.language is not None:
        yield _has_language(filters.language)


def _has_words(searched: str) -> ColumnElement[bool]:
    """Return the condition for titles in which each of these words is, or a word begins with it.

    The characters of a script without spaces have to be side by side, as in the word. Without any
    word in it, such as in punctuation, every title fits.
    """
    words = searched.split()
    query = _NOTHING
    for word in words:
        query = query.op("&&")(_beginning_with(word))
    return or_(func.numnode(query) == 0, literal_column(TITLE_WORDS).bool_op("@@")(query))


def _beginning_with(word: str) -> ColumnElement[Any]:
    separated = func.regexp_replace(literal(word), literal_column(f"'{SEPARATED}'"), r" \1 ", "g")
    phrase = cast(func.phraseto_tsquery(_SIMPLE, separated), Text)
    # Punctuation alone has no word: then nothing is asked for.
    return func.coalesce(cast(func.nullif(phrase, "").concat(":*"), TSQUERY), _NOTHING)


def _has_language(language: str) -> ColumnElement[bool]:
    """Return the condition for books with words in a language."""
    return exists().where(
        Page.book_id == Book.id,
        Dialogue.page_id == Page.id,
        DialogueTranslation.dialogue_id == Dialogue.id,
        DialogueTranslation.language_code == language,
    )
