"""Books for tests, made by the models."""

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from backend.models import Book, User, Visibility

MORNING = datetime(2026, 1, 31, 8, 0, 0, 123456, tzinfo=UTC)


def add_owner(session: Session) -> User:
    """Insert somebody who owns books."""
    owner = User(email="somebody@example.org")
    session.add(owner)
    session.flush()
    return owner


def add_book(
    session: Session,
    owner: User,
    title: str = "A book",
    visibility: Visibility = Visibility.PUBLIC,
    created_at: datetime = MORNING,
) -> Book:
    """Insert a book without pages."""
    book = Book(user_id=owner.id, title=title, visibility=visibility, created_at=created_at)
    session.add(book)
    session.flush()
    return book
