"""Insert the rows of whole books, or of parts of books.

One statement with one JSON text inserts all rows of a table, so a book of thousands of parts needs
as many statements as a small book. Each row gets its id here and not in the database, because its
children need the id.
"""

import json
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import JSON, Text, cast, column, func, insert, literal, select
from sqlalchemy.orm import Session

from backend.models import Base, Book, Dialogue, DialogueAudio, DialogueTranslation, Page
from backend.schemas.book_input import NewBook, NewDialogue, NewPage, NewTranslation

_Row = dict[str, Any]


def insert_book(session: Session, owner: UUID, new: NewBook) -> UUID:
    """Insert a new book with its pages, numbered from 1; return its id."""
    identifier = uuid4()
    row = {"id": identifier, "user_id": owner, **new.model_dump(exclude={"pages"})}
    session.execute(insert(Book), row)
    _insert_pages(session, identifier, enumerate(new.pages, start=1))
    return identifier


def insert_page(session: Session, book_id: UUID, new: NewPage, sequence: int) -> UUID:
    """Insert a new page with its dialogues, numbered from 1; return its id."""
    [identifier] = _insert_pages(session, book_id, [(sequence, new)])
    return identifier


def insert_dialogue(session: Session, page_id: UUID, new: NewDialogue, sequence: int) -> UUID:
    """Insert a new dialogue with its words and its recordings; return its id."""
    [identifier] = _insert_dialogues(session, [(page_id, sequence, new)])
    return identifier


def _insert_pages(
    session: Session, book_id: UUID, pages: Iterable[tuple[int, NewPage]]
) -> list[UUID]:
    placed = [(uuid4(), sequence, page) for sequence, page in pages]
    rows = [
        {
            "id": identifier,
            "book_id": book_id,
            "sequence": sequence,
            **page.model_dump(exclude={"dialogues"}),
        }
        for identifier, sequence, page in placed
    ]
    _insert(session, Page, rows)
    dialogues = [
        (identifier, number, dialogue)
        for identifier, _, page in placed
        for number, dialogue in enumerate(page.dialogues, start=1)
    ]
    _insert_dialogues(session, dialogues)
    return [identifier for identifier, _, _ in placed]


def _insert_dialogues(
    session: Session, dialogues: Sequence[tuple[UUID, int, NewDialogue]]
) -> list[UUID]:
    placed = [(uuid4(), page_id, number, new) for page_id, number, new in dialogues]
    rows = [
        {"id": identifier, "page_id": page_id, "sequence": number, "speaker": new.speaker}
        for identifier, page_id, number, new in placed
    ]
    _insert(session, Dialogue, rows)
    translations = [
        row for identifier, _, _, new in placed for row in _words(identifier, new.translations)
    ]
    _insert(session, DialogueTranslation, translations)
    audios = [
        {"id": uuid4(), "dialogue_id": identifier, **dict(it)}
        for identifier, _, _, new in placed
        for it in new.audios
    ]
    _insert(session, DialogueAudio, audios)
    return [identifier for identifier, _, _, _ in placed]


def _words(dialogue_id: UUID, translations: Sequence[NewTranslation]) -> list[_Row]:
    """Return the rows of a dialogue's texts. If none is primary, the first becomes primary."""
    primary = next(chain((it for it in translations if it.is_primary), translations), None)
    return [
        {
            "id": uuid4(),
            "dialogue_id": dialogue_id,
            "language_code": it.language_code,
            "text": it.text,
            "is_primary": it is primary,
        }
        for it in translations
    ]


def _insert(session: Session, kind: type[Base], rows: Sequence[_Row]) -> None:
    """Insert rows, which all have the same columns, from one JSON text."""
    if not rows:
        return
    table = kind.__table__
    columns = [column(name, table.c[name].type) for name in rows[0]]
    sent = cast(literal(json.dumps(rows, ensure_ascii=False, default=str), Text), JSON)
    source = func.json_to_recordset(sent).table_valued(*columns).render_derived(with_types=True)
    session.execute(insert(kind).from_select(list(rows[0]), select(source)))
