"""Write the parts of a book one at a time: its pages and their dialogues.

A writer locks the book, so that each position is given once.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, raiseload, selectinload

from backend.events.event import Event
from backend.models import LATER, Book, Dialogue, Page
from backend.schemas.book_input import DialogueChange, NewDialogue, NewPage, PageChange
from backend.schemas.books import DialogueDetail, PageDetail
from backend.services.access import changeable, is_for_everybody
from backend.services.book_inserts import insert_dialogue, insert_page
from backend.services.book_size_limit import require_within_size_limit
from backend.services.changes import commit
from backend.services.errors import ConflictError, NotFoundError


@dataclass(frozen=True)
class OwnBook:
    """A book, and the account that claims to own it."""

    owner: UUID
    id: UUID

    def locked(self, session: Session) -> Book:
        """Return the book, locked until the transaction ends. Raises as `changeable` does."""
        return changeable(session, Book, self.owner, self.id)


LAST = 10_000
"""The highest position."""


def add_page(session: Session, own: OwnBook, new: NewPage) -> PageDetail:
    """Add a page after the last one. Raises as `changeable` does."""
    book = own.locked(session)
    last = session.scalar(select(func.max(Page.sequence)).where(Page.book_id == own.id))
    page_id = insert_page(session, own.id, new, _following(last))
    return _page_done(session, book, page_id)


def change_page(session: Session, own: OwnBook, page_id: UUID, change: PageChange) -> PageDetail:
    """Change the fields in `change`. Raises ConflictError if a position is taken."""
    book = own.locked(session)
    page = _page(session, own.id, page_id)
    if "sequence" in change and change["sequence"] != page.sequence:
        taken = select(Page.id).where(Page.book_id == own.id, Page.sequence == change["sequence"])
        _require_free(session.scalar(taken))
    for name, value in change.items():
        setattr(page, name, value)
    return _page_done(session, book, page_id)


def delete_page(session: Session, own: OwnBook, page_id: UUID) -> None:
    """Delete a page with its dialogues; the other pages keep their positions."""
    book = own.locked(session)
    session.delete(_page(session, own.id, page_id))
    finish(session, book)


def add_dialogue(session: Session, own: OwnBook, page_id: UUID, new: NewDialogue) -> DialogueDetail:
    """Add a dialogue after the last one of a page. Raises as `changeable` does."""
    book = own.locked(session)
    page = _page(session, own.id, page_id)
    last = session.scalar(select(func.max(Dialogue.sequence)).where(Dialogue.page_id == page.id))
    dialogue_id = insert_dialogue(session, page.id, new, _following(last))
    return _dialogue_done(session, book, dialogue_id)


def change_dialogue(
    session: Session, own: OwnBook, dialogue_id: UUID, change: DialogueChange
) -> DialogueDetail:
    """Change the fields in `change`. Raises ConflictError if a position is taken."""
    book = own.locked(session)
    dialogue = dialogue_of(session, own.id, dialogue_id)
    if "sequence" in change and change["sequence"] != dialogue.sequence:
        taken = select(Dialogue.id).where(
            Dialogue.page_id == dialogue.page_id, Dialogue.sequence == change["sequence"]
        )
        _require_free(session.scalar(taken))
    for name, value in change.items():
        setattr(dialogue, name, value)
    return _dialogue_done(session, book, dialogue_id)


def delete_dialogue(session: Session, own: OwnBook, dialogue_id: UUID) -> None:
    """Delete a dialogue in all languages; the other dialogues keep their positions."""
    book = own.locked(session)
    session.delete(dialogue_of(session, own.id, dialogue_id))
    finish(session, book)


def dialogue_of(session: Session, book_id: UUID, dialogue_id: UUID) -> Dialogue:
    """Return a dialogue of this book; raise NotFoundError if the book has no such dialogue."""
    dialogue = session.scalar(
        select(Dialogue)
        .join(Page)
        .where(Dialogue.id == dialogue_id, Page.book_id == book_id)
        .options(raiseload("*"))
    )
    if dialogue is None:
        raise NotFoundError("There is no such dialogue in this book.")
    return dialogue


def finish(session: Session, book: Book) -> None:
    """Commit the changes of a book, and set its date of change."""
    event = Event("book", "updated", book.id, book.user_id, is_for_everybody(book.visibility))
    book.updated_at = LATER
    session.flush()
    commit(session, event)


def _page(session: Session, book_id: UUID, page_id: UUID) -> Page:
    page = session.scalar(
        select(Page).where(Page.id == page_id, Page.book_id == book_id).options(raiseload("*"))
    )
    if page is None:
        raise NotFoundError("There is no such page in this book.")
    return page


def _following(last: int | None) -> int:
    following = (last or 0) + 1
    if following > LAST:
        raise ConflictError("The last position is taken. Move the item there to a free one.")
    return following


def _require_free(taken: UUID | None) -> None:
    if taken is not None:
        raise ConflictError("This position is taken. Move the item there first.")


def _page_done(session: Session, book: Book, page_id: UUID) -> PageDetail:
    session.flush()
    require_within_size_limit(session, book.id)
    dialogues = selectinload(Page.dialogues)
    page = session.scalars(
        select(Page)
        .where(Page.id == page_id)
        .options(
            dialogues.selectinload(Dialogue.translations),
            dialogues.selectinload(Dialogue.audios),
            raiseload("*"),
        )
        .execution_options(populate_existing=True)
    ).one()
    detail = PageDetail.model_validate(page)
    finish(session, book)
    return detail


def _dialogue_done(session: Session, book: Book, dialogue_id: UUID) -> DialogueDetail:
    session.flush()
    require_within_size_limit(session, book.id)
    dialogue = session.scalars(
        select(Dialogue)
        .where(Dialogue.id == dialogue_id)
        .options(selectinload(Dialogue.translations), selectinload(Dialogue.audios), raiseload("*"))
        .execution_options(populate_existing=True)
    ).one()
    detail = DialogueDetail.model_validate(dialogue)
    finish(session, book)
    return detail
