"""Books to read: lists, and one whole."""

from uuid import UUID

from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session

from backend.models import Book
from backend.schemas.books import BookList, BookSummary
from backend.services.access import Shelf, is_on_shelf, is_own, is_shared
from backend.services.filters import BookFilters, conditions
from backend.services.listing import Turn, rows_of
from backend.services.marked import marked_book


def list_books(
    session: Session,
    viewer: UUID | None,
    shelf: Shelf | None,
    filters: BookFilters,
    turn: Turn,
) -> BookList:
    """Return some of the books that `viewer` sees, in one query.

    Raises UnauthenticatedError if the shelf is `mine` and there is no viewer.
    """
    wanted = [is_on_shelf(Book, viewer, shelf), *conditions(filters)]
    books, next_cursor = rows_of(session, Book, BookSummary, wanted, turn)
    return BookList(items=books, next_cursor=next_cursor)


def shared_book(session: Session, book_id: UUID) -> bytes | None:
    """Return a book that everybody sees, marked: the same for every reader."""
    return marked_book(session, (Book.id == book_id) & is_shared(Book))


def own_book(session: Session, owner: UUID, book_id: UUID) -> bytes | None:
    """Return a book of its owner, marked."""
    return marked_book(session, (Book.id == book_id) & is_own(Book, owner))


def written_book(session: Session, book_id: UUID) -> bytes:
    """Return a book that this transaction has written, marked.

    Raises NoResultFound if it has not.
    """
    book = marked_book(session, Book.id == book_id)
    if book is None:
        raise NoResultFound
    return book
