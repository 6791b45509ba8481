"""Rows from what was sent: whole books, or parts of them.

Every row gets its id here and not in the database, so that all rows of a kind go in one statement.
"""

from collections.abc import Sequence
from uuid import UUID, uuid4

from backend.models import Book, Dialogue, DialogueAudio, DialogueTranslation, Page
from backend.schemas.writing import NewBook, NewDialogue, NewPage, NewTranslation


def book_row(owner: UUID, new: NewBook) -> Book:
    """Return a new book with its pages, numbered from 1."""
    return Book(
        id=uuid4(),
        user_id=owner,
        pages=[page_row(page, number) for number, page in enumerate(new.pages, start=1)],
        **new.model_dump(exclude={"pages"}),
    )


def page_row(new: NewPage, sequence: int) -> Page:
    """Return a new page with its dialogues, numbered from 1."""
    return Page(
        id=uuid4(),
        sequence=sequence,
        dialogues=[dialogue_row(it, number) for number, it in enumerate(new.dialogues, start=1)],
        **new.model_dump(exclude={"dialogues"}),
    )


def dialogue_row(new: NewDialogue, sequence: int) -> Dialogue:
    """Return a new dialogue with its words, some of them primary, and its recordings."""
    return Dialogue(
        id=uuid4(),
        sequence=sequence,
        speaker=new.speaker,
        translations=_translation_rows(new.translations),
        audios=[DialogueAudio(id=uuid4(), **it.model_dump()) for it in new.audios],
    )


def _translation_rows(translations: Sequence[NewTranslation]) -> list[DialogueTranslation]:
    primary = next((it for it in translations if it.is_primary), None) or next(
        iter(translations), None
    )
    return [
        DialogueTranslation(
            id=uuid4(), language_code=it.language_code, text=it.text, is_primary=it is primary
        )
        for it in translations
    ]
