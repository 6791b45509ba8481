"""What a reader would be served by FastAPI and SQLAlchemy alone, as their guides have it.

The rows, the answers and the tokens are those of the service. `uvicorn` serves this file, copied
into a project.
"""

from collections.abc import Iterator
from os import environ
from typing import Annotated
from uuid import UUID

from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import ColumnElement, create_engine, or_, select, tuple_
from sqlalchemy.orm import Session, selectinload

from backend.models import Book, Dialogue, Page, User, Visibility
from backend.schemas.books import BookDetail, BookList, BookSummary
from backend.services.cursor import Position, decode, encode
from backend.services.tokens import Tokens

engine = create_engine(environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg2:", 1))
tokens = Tokens(environ["JWT_SECRET"])
app = FastAPI()


def session() -> Iterator[Session]:
    """Give a session for one request."""
    with Session(engine) as opened:
        yield opened


Opened = Annotated[Session, Depends(session)]
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]


def viewer(opened: Opened, bearer: Bearer) -> User | None:
    """Return the active account of the token; None without a token."""
    if bearer is None:
        return None
    claim = tokens.read(bearer.credentials)
    user = None if claim is None else opened.get(User, claim.account)
    if user is None or not user.is_active:
        raise HTTPException(401)
    return user


Viewer = Annotated[User | None, Depends(viewer)]


def seen_by(user: User | None) -> ColumnElement[bool]:
    """Return the condition for what an account sees."""
    shared = Book.visibility.in_([Visibility.PUBLIC, Visibility.DEFAULT])
    return shared if user is None else or_(shared, Book.user_id == user.id)


@app.get("/health/ready")
def ready() -> None:
    """Answer when this serves."""


@app.get("/api/v1/books")
def list_books(
    opened: Opened, user: Viewer, cursor: str | None = None, shelf: str | None = None
) -> BookList:
    """Return 20 books, newest first."""
    is_seen = seen_by(user) if shelf is None or user is None else Book.user_id == user.id
    query = select(Book).where(is_seen)
    if cursor is not None:
        place = decode(cursor)
        query = query.where(tuple_(Book.created_at, Book.id) < (place.created_at, place.id))
    query = query.order_by(Book.created_at.desc(), Book.id.desc()).limit(21)
    found = opened.scalars(query).all()
    shown = found[:20]
    rest = encode(Position(shown[-1].created_at, shown[-1].id)) if len(found) > 20 else None
    return BookList(items=[BookSummary.model_validate(it) for it in shown], next_cursor=rest)


@app.get("/api/v1/books/{book_id}")
def read_book(opened: Opened, user: Viewer, book_id: UUID) -> BookDetail:
    """Return a book, by a query for each kind of row."""
    dialogues = selectinload(Book.pages).selectinload(Page.dialogues)
    book = opened.scalar(
        select(Book)
        .where(Book.id == book_id, seen_by(user))
        .options(
            dialogues.selectinload(Dialogue.translations), dialogues.selectinload(Dialogue.audios)
        )
    )
    if book is None:
        raise HTTPException(404)
    return BookDetail.model_validate(book)
