"""A book whole, as JSON in which the words and the recordings are marked by their language.

PostgreSQL writes the JSON: one query and one text, however many rows a book has. The marks are
control characters, which JSON only has escaped in its texts: so they stand for nothing else.
Without the marks the text is the book in all languages, or in one.
"""

from sqlalchemy import ColumnElement, LargeBinary, Text, func, literal_column, select
from sqlalchemy.orm import Session

from backend.models import Book
from backend.schemas.books import BookSummary

_LIST = b"\x1d"
"""Stands before and after the items of a list."""

_ITEM = b"\x1e"
"""Stands between two items of a list."""

_OF = b"\x1f"
"""Stands between the language of an item, as JSON, and the item."""


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
"""What is on the pages: each object as PostgreSQL writes it, its lists before its last bracket."""

_SUMMARY = [getattr(Book, name) for name in BookSummary.model_fields]


def marked_book(session: Session, condition: ColumnElement[bool]) -> bytes | None:
    """Return the book that fits a condition, marked, as it was at one moment; None without one."""
    # As bytes: a str of it would take up to four times as much.
    pages = func.convert_to(_PAGES, "UTF8", type_=LargeBinary).label("pages")
    row = session.execute(select(*_SUMMARY, pages).where(condition)).one_or_none()
    if row is None:
        return None
    summary = BookSummary.model_validate(row).model_dump_json().encode()
    return b"".join([summary[:-1], b',"pages":[', row.pages or b"", b"]}"])


def has_language(marked: bytes, language: str) -> bool:
    """Return whether a marked book has words or recordings in a language."""
    return _label(language) + _OF in marked


def in_language(marked: bytes, language: str | None) -> bytes:
    """Return a marked book without its marks: in one language, or for None in all."""
    wanted = None if language is None else _label(language)
    parts = marked.split(_LIST)
    # Every second part is what stands between two marks of a list.
    parts[1::2] = [_kept(part, wanted) for part in parts[1::2]]
    return b"".join(parts)


def _kept(items: bytes, wanted: bytes | None) -> bytes:
    marked = [it.partition(_OF) for it in items.split(_ITEM)]
    return b",".join([item for label, _, item in marked if wanted in (None, label)])


def _label(language: str) -> bytes:
    return f'"{language}"'.encode()
