"""Read one page of a shared book, and its place among the other pages."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, raiseload, selectinload

from backend.models import Book, Dialogue, Page
from backend.schemas.books import BookSummary, PageDetail
from backend.services.access import is_shared


@dataclass(frozen=True)
class SharedPage:
    """A page of a shared book. `number` counts the pages; positions may have gaps."""

    book: BookSummary
    page: PageDetail | None
    """None if the book has no pages."""
    number: int
    count: int
    previous: int | None
    following: int | None
    """Positions of the pages before and after."""


def shared_page(session: Session, book_id: UUID, position: int | None) -> SharedPage | None:
    """Return the page at a position of a shared book; the first page for None.

    Return None if everybody sees no such book, or if it has no page there.
    """
    columns = [getattr(Book, name) for name in BookSummary.model_fields]
    found = session.execute(select(*columns).where(Book.id == book_id, is_shared(Book)))
    row = found.one_or_none()
    if row is None:
        return None
    book = BookSummary.model_validate(row)
    of_book = Page.book_id == book_id
    if position is None:
        position = session.scalar(select(func.min(Page.sequence)).where(of_book))
        if position is None:
            return SharedPage(book, None, 0, 0, None, None)
    dialogues = selectinload(Page.dialogues)
    page = session.scalar(
        select(Page)
        .where(of_book, Page.sequence == position)
        .options(
            dialogues.selectinload(Dialogue.translations),
            dialogues.selectinload(Dialogue.audios),
            raiseload("*"),
        )
    )
    if page is None:
        return None
    is_before, is_after = Page.sequence < position, Page.sequence > position
    place = select(
        func.count().filter(~is_after),
        func.count(),
        func.max(Page.sequence).filter(is_before),
        func.min(Page.sequence).filter(is_after),
    ).where(of_book)
    number, count, previous, following = session.execute(place).one()
    return SharedPage(book, PageDetail.model_validate(page), number, count, previous, following)
