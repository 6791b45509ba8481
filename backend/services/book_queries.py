"""Read books: lists, and single whole books."""

from uuid import UUID

from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session

from backend.models import Book
from backend.schemas.books import BookList, BookSummary
from backend.services.access import Shelf, is_on_shelf, is_own, is_shared
from backend.services.book_json import marked_book
from backend.services.filters import BookFilters, conditions
from backend.services.listing import PageRequest, rows_of


def list_books(
    session: Session,
    viewer: UUID | None,
    shelf: Shelf | None,
    filters: BookFilters,
    page: PageRequest,
) -> BookList:
    """Return a page of the books that `viewer` sees, in one query.

    Raises UnauthenticatedError if the shelf is `mine` and there is no viewer.
    """
    wanted = [is_on_shelf(Book, viewer, shelf), *conditions(filters)]
    books, next_cursor = rows_of(session, Book, BookSummary, wanted, page)
    return BookList(items=books, next_cursor=next_cursor)


def shared_book(session: Session, book_id: UUID) -> bytes | None:
    """Return the marked JSON of a shared book: the same for every reader."""
    return marked_book(session, (Book.id == book_id) & is_shared(Book))


def own_book(session: Session, owner: UUID, book_id: UUID) -> bytes | None:
    """Return the marked JSON of a book of this owner."""
    return marked_book(session, (Book.id == book_id) & is_own(Book, owner))


def written_book(session: Session, book_id: UUID) -> bytes:
    """Return the marked JSON of a book that this transaction has written.

    Raises NoResultFound if the book does not exist.
    """
    book = marked_book(session, Book.id == book_id)
    if book is None:
        raise NoResultFound
    return book
