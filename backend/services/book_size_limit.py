"""The size limit of a book: one query reads the whole book, so its size must have a limit."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Text, cast, func, select, union_all
from sqlalchemy.orm import Session

from backend.models import Dialogue, DialogueAudio, DialogueTranslation, Page
from backend.schemas.parts import MOST_PARTS, TooManyPartsError
from backend.services.errors import ConflictError

MOST_TEXT = 4 << 20
"""Largest size of all texts of a book, addresses included, in bytes of JSON."""


def require_within_size_limit(session: Session, book_id: UUID) -> None:
    """Return if a book is within its size limit, with the rows of this transaction.

    Otherwise raise TooManyPartsError or ConflictError. The writer has locked the book, so no other
    transaction adds to it meanwhile. One query.
    """
    parts = union_all(*_sizes(book_id)).subquery()
    count, size = session.execute(
        select(func.count(), func.coalesce(func.sum(parts.c.size), 0)).select_from(parts)
    ).one()
    if count > MOST_PARTS:
        raise TooManyPartsError(count, MOST_PARTS)
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
    return func.octet_length(cast(func.to_json(func.concat(*texts)), Text)).label("size")
