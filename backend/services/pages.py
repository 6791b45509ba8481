"""The inside of a book, written a part at a time: its pages, and who speaks on them.

A writer holds the lock of the book, so that positions are given once.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, raiseload, selectinload

from backend.events.event import Event
from backend.models import LATER, Book, Dialogue, Page
from backend.schemas.books import DialogueDetail, PageDetail
from backend.schemas.writing import DialogueChange, NewDialogue, NewPage, PageChange
from backend.services.access import changeable, is_for_everybody
from backend.services.changes import commit
from backend.services.errors import ConflictError, NotFoundError
from backend.services.room import require_room
from backend.services.writing import insert_dialogue, insert_page


@dataclass(frozen=True)
class OwnBook:
    """A book, and the account that says it is its own."""

    owner: UUID
    id: UUID

    def locked(self, session: Session) -> Book:
        """Return it, locked until the transaction ends. Raises as `changeable` does."""
        return changeable(session, Book, self.owner, self.id)


LAST = 10_000
"""The highest position that there is."""


def add_page(session: Session, own: OwnBook, new: NewPage) -> PageDetail:
    """Add a page after the last one. Raises as `changeable` does."""
    book = own.locked(session)
    last = session.scalar(select(func.max(Page.sequence)).where(Page.book_id == own.id))
    page_id = insert_page(session, own.id, new, _following(last))
    return _page_done(session, book, page_id)


def change_page(session: Session, own: OwnBook, page_id: UUID, change: PageChange) -> PageDetail:
    """Change what `change` names. Raises ConflictError where a position is taken."""
    book = own.locked(session)
    page = _page(session, own.id, page_id)
    if "sequence" in change and change["sequence"] != page.sequence:
        taken = select(Page.id).where(Page.book_id == own.id, Page.sequence == change["sequence"])
        _require_free(session.scalar(taken))
    for name, value in change.items():
        setattr(page, name, value)
    return _page_done(session, book, page_id)


def delete_page(session: Session, own: OwnBook, page_id: UUID) -> None:
    """Delete a page with everything on it; the others keep their positions."""
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
    """Change what `change` names. Raises ConflictError where a position is taken."""
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
    """Delete a dialogue in all languages; the others keep their positions."""
    book = own.locked(session)
    session.delete(dialogue_of(session, own.id, dialogue_id))
    finish(session, book)


def dialogue_of(session: Session, book_id: UUID, dialogue_id: UUID) -> Dialogue:
    """Return a dialogue of this book; raise NotFoundError where it has none of this id."""
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
    """Commit what was changed in a book, which is newer from now on."""
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
        raise ConflictError("The last position is taken. Move what is there to a free one.")
    return following


def _require_free(taken: UUID | None) -> None:
    if taken is not None:
        raise ConflictError("This position is taken. Move what is there first.")


def _page_done(session: Session, book: Book, page_id: UUID) -> PageDetail:
    session.flush()
    require_room(session, book.id)
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
    require_room(session, book.id)
    dialogue = session.scalars(
        select(Dialogue)
        .where(Dialogue.id == dialogue_id)
        .options(selectinload(Dialogue.translations), selectinload(Dialogue.audios), raiseload("*"))
        .execution_options(populate_existing=True)
    ).one()
    detail = DialogueDetail.model_validate(dialogue)
    finish(session, book)
    return detail
