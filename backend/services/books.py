"""Create, change and delete books."""

from uuid import UUID

from sqlalchemy.orm import Session

from backend.events.event import Event
from backend.models import Book
from backend.schemas.book_input import BookChange, NewBook
from backend.schemas.books import BookSummary
from backend.services.access import changeable, is_for_everybody
from backend.services.book_inserts import insert_book
from backend.services.book_queries import written_book
from backend.services.book_size_limit import require_within_size_limit
from backend.services.changes import commit
from backend.services.transitions import OF_BOOKS, require_transition


def create_book(session: Session, owner: UUID, new: NewBook) -> bytes:
    """Insert a book with its pages, and return the marked JSON of the book.

    Raises TooManyPartsError or ConflictError if the book is too large.
    """
    identifier = insert_book(session, owner, new)
    require_within_size_limit(session, identifier)
    book = written_book(session, identifier)
    commit(session, Event("book", "created", identifier, owner, is_for_everybody(new.visibility)))
    return book


def change_book(session: Session, owner: UUID, book_id: UUID, change: BookChange) -> BookSummary:
    """Change the fields in `change`. Raises as `changeable` does, and TransitionError."""
    book = changeable(session, Book, owner, book_id)
    was_shared = is_for_everybody(book.visibility)
    if "status" in change:
        require_transition(OF_BOOKS, book.status, change["status"])
    for name, value in change.items():
        setattr(book, name, value)
    session.flush()
    session.refresh(book)
    changed = BookSummary.model_validate(book)
    is_shared = was_shared or is_for_everybody(changed.visibility)
    commit(session, Event("book", "updated", book_id, owner, is_shared))
    return changed


def delete_book(session: Session, owner: UUID, book_id: UUID) -> None:
    """Delete a book with everything in it. Raises as `changeable` does."""
    book = changeable(session, Book, owner, book_id)
    was_shared = is_for_everybody(book.visibility)
    session.delete(book)
    session.flush()
    commit(session, Event("book", "deleted", book_id, owner, was_shared))
