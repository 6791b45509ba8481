"""Books to write: made, changed and deleted by their owners."""

from uuid import UUID

from sqlalchemy.orm import Session

from backend.models import Book
from backend.schemas.books import BookDetail, BookSummary
from backend.schemas.writing import BookChange, NewBook
from backend.services.access import changeable
from backend.services.changes import Change, commit
from backend.services.shelves import own_book
from backend.services.transitions import OF_BOOKS, require_transition
from backend.services.writing import book_row


def create_book(session: Session, owner: UUID, new: NewBook) -> BookDetail:
    """Make a book, with its pages if there are any; a statement for each kind of row."""
    row = book_row(owner, new)
    session.add(row)
    session.flush()
    book = own_book(session, owner, row.id)
    if book is None:
        raise RuntimeError("A book that was inserted is not there.")
    commit(session, Change("book", "created", book.id))
    return book


def change_book(session: Session, owner: UUID, book_id: UUID, change: BookChange) -> BookSummary:
    """Change what `change` names. Raises as `changeable` does, and TransitionError."""
    book = changeable(session, Book, owner, book_id)
    if "status" in change:
        require_transition(OF_BOOKS, book.status, change["status"])
    for name, value in change.items():
        setattr(book, name, value)
    session.flush()
    session.refresh(book)
    changed = BookSummary.model_validate(book)
    commit(session, Change("book", "updated", book_id))
    return changed


def delete_book(session: Session, owner: UUID, book_id: UUID) -> None:
    """Delete a book and whatever is in it. Raises as `changeable` does."""
    session.delete(changeable(session, Book, owner, book_id))
    session.flush()
    commit(session, Change("book", "deleted", book_id))
