"""Filters of lists of books."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Text, cast, exists, func, literal, literal_column, select
from sqlalchemy.dialects.postgresql import ARRAY, TSQUERY

from backend.models import Book, Dialogue, DialogueTranslation, Page
from backend.models.titles import SEPARATED, TITLE_WORDS

_SIMPLE: ColumnElement[str] = literal_column("'simple'")


@dataclass(frozen=True)
class BookFilters:
    """The filters of a list of books; None selects every book."""

    title: str | None = None
    genre: str | None = None
    target_age: str | None = None
    language: str | None = None


def conditions(filters: BookFilters) -> Iterator[ColumnElement[bool]]:
    """Yield the condition of each filter that is set."""
    if filters.title is not None and _has_word(filters.title):
        yield _has_words(filters.title)
    if filters.genre is not None:
        yield Book.genre == filters.genre
    if filters.target_age is not None:
        yield Book.target_age == filters.target_age
    if filters.language is not None:
        yield _has_language(filters.language)


def _has_words(searched: str) -> ColumnElement[bool]:
    """Return the condition for titles that contain all these words, also as beginnings of words.

    In a script without spaces the characters must stand side by side, as in the word. The statement
    has the same length for any number of words.
    """
    word = func.unnest(literal(searched.split(), ARRAY(Text))).column_valued("word")
    separated = func.regexp_replace(word, literal_column(f"'{SEPARATED}'"), r" \1 ", "g")
    phrase = func.phraseto_tsquery(_SIMPLE, separated)
    beginning = cast(phrase, Text).concat(":*")
    # Punctuation alone contains no word: then there is no condition.
    every = select(func.string_agg(beginning, " & ")).where(func.numnode(phrase) > 0)
    query = cast(every.scalar_subquery(), TSQUERY)
    return literal_column(TITLE_WORDS).bool_op("@@")(query)


def _has_word(searched: str) -> bool:
    return any(map(str.isalnum, searched))


def _has_language(language: str) -> ColumnElement[bool]:
    """Return the condition for books with words in a language."""
    return exists().where(
        Page.book_id == Book.id,
        Dialogue.page_id == Page.id,
        DialogueTranslation.dialogue_id == Dialogue.id,
        DialogueTranslation.language_code == language,
    )
