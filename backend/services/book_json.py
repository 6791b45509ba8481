"""Read a whole book as JSON in which each translation and recording is marked by language.

PostgreSQL writes the JSON: one query and one text for any number of rows. The marks are control
characters. JSON texts contain these only escaped, so the marks are unambiguous. Without the marks
the text is the book in all languages, or in one.
"""

from sqlalchemy import ColumnElement, LargeBinary, Text, func, literal_column, select
from sqlalchemy.orm import Session

from backend.models import Book
from backend.schemas.books import BookSummary

_LIST = b"\x1d"
"""Mark before and after the items of a list."""

_ITEM = b"\x1e"
"""Mark between two items of a list."""

_OF = b"\x1f"
"""Mark between the language of an item, as JSON, and the item."""


_PAGES = literal_column(
    r"""(
    SELECT string_agg(left(row_to_json(page)::text, -1) || ',"dialogues":[' || coalesce((
        SELECT string_agg(
            left(row_to_json(dialogue)::text, -1)
            || ',"translations":[' || E'\x1d' || coalesce((
                SELECT string_agg(
                    to_json(language_code)::text || E'\x1f' || row_to_json(words)::text,
                    E'\x1e' ORDER BY language_code
                )
                FROM (
                    SELECT language_code, text, is_primary
                    FROM dialogue_translations WHERE dialogue_id = dialogue.id
                ) words
            ), '') || E'\x1d' || '],"audios":[' || E'\x1d' || coalesce((
                SELECT string_agg(
                    to_json(language_code)::text || E'\x1f' || row_to_json(recording)::text,
                    E'\x1e' ORDER BY language_code, voice_id
                )
                FROM (
                    SELECT language_code, voice_id, audio_url, duration
                    FROM dialogue_audios WHERE dialogue_id = dialogue.id
                ) recording
            ), '') || E'\x1d' || ']}',
            ',' ORDER BY dialogue.sequence
        )
        FROM (SELECT id, sequence, speaker FROM dialogues WHERE page_id = page.id) dialogue
    ), '') || ']}', ',' ORDER BY page.sequence)
    FROM (
        SELECT id, sequence, image_url, image_prompt, video_url
        FROM pages WHERE book_id = books.id
    ) page
    )""",
    Text(),
)
"""SQL for the pages as JSON: in each object its lists come last, before the bracket."""

_SUMMARY = [getattr(Book, name) for name in BookSummary.model_fields]


def marked_book(session: Session, condition: ColumnElement[bool]) -> bytes | None:
    """Return the marked JSON of the book that fits a condition, from one snapshot; else None."""
    # As bytes: a str would take up to four times the memory.
    pages = func.convert_to(_PAGES, "UTF8", type_=LargeBinary).label("pages")
    row = session.execute(select(*_SUMMARY, pages).where(condition)).one_or_none()
    if row is None:
        return None
    summary = BookSummary.model_validate(row).model_dump_json().encode()
    return b"".join([summary[:-1], b',"pages":[', row.pages or b"", b"]}"])


def has_language(marked: bytes, language: str) -> bool:
    """Return whether a marked book has translations or recordings in a language."""
    return _label(language) + _OF in marked


def in_language(marked: bytes, language: str | None) -> bytes:
    """Return a marked book without its marks: in one language, or in all for None."""
    wanted = None if language is None else _label(language)
    parts = marked.split(_LIST)
    # Every second part is the content between two marks of a list.
    parts[1::2] = [_kept(part, wanted) for part in parts[1::2]]
    return b"".join(parts)


def _kept(items: bytes, wanted: bytes | None) -> bytes:
    marked = [it.partition(_OF) for it in items.split(_ITEM)]
    return b",".join([item for label, _, item in marked if wanted in (None, label)])


def _label(language: str) -> bytes:
    return f'"{language}"'.encode()
