"""How much a book has room for: it is read whole, and by few queries, however it came to be."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select, union_all
from sqlalchemy.orm import Session

from backend.models import Dialogue, DialogueAudio, DialogueTranslation, Page
from backend.services.errors import ConflictError

MOST_PARTS = 10_000
"""Pages, dialogues, translations and recordings, all together."""

MOST_TEXT = 4 << 20
"""Bytes of what is written in them, addresses included."""


def require_room(session: Session, book_id: UUID) -> None:
    """Return if a book has not too much in it, with what this transaction has written.

    Raises ConflictError else. Whoever writes holds the lock of the book, so that nobody adds to it
    meanwhile. One query.
    """
    parts = union_all(*_sizes(book_id)).subquery()
    count, size = session.execute(
        select(func.count(), func.coalesce(func.sum(parts.c.size), 0)).select_from(parts)
    ).one()
    if count > MOST_PARTS:
        raise ConflictError(
            f"The book would have {count:,} parts, and has room for {MOST_PARTS:,} (pages, "
            "dialogues, translations and recordings). Put the rest into another book."
        )
    if size > MOST_TEXT:
        raise ConflictError(
            f"The book would have {size:,} bytes of text, and has room for {MOST_TEXT:,}. "
            "Put the rest into another book."
        )


def _sizes(book_id: UUID) -> list[Select[Any]]:
    dialogues = select(_size(Dialogue.speaker)).join(Page)
    translations = select(_size(DialogueTranslation.text)).join(Dialogue).join(Page)
    audios = select(_size(DialogueAudio.audio_url)).join(Dialogue).join(Page)
    pages = select(_size(Page.image_url, Page.image_prompt, Page.video_url))
    return [it.where(Page.book_id == book_id) for it in (pages, dialogues, translations, audios)]


def _size(*texts: Any) -> ColumnElement[int]:
    return func.octet_length(func.concat(*texts)).label("size")
