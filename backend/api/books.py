"""Books: who has no account sees those that are there for everybody."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Path, Query, status
from fastapi.exceptions import RequestValidationError
from sqlalchemy import ColumnElement, Select, select, tuple_
from sqlalchemy.orm import raiseload, selectinload

from backend.api.cursor import Position, decode, encode
from backend.api.dependencies import DatabaseSession
from backend.api.schemas import BookDetail, BookList, BookSummary, Problem
from backend.models import Book, Dialogue, Page, Visibility

router = APIRouter(
    prefix="/api/v1/books",
    tags=["books"],
    responses={
        status.HTTP_503_SERVICE_UNAVAILABLE: {
            "model": Problem,
            "description": "The database is away, or its schema is not ready.",
        }
    },
)

# A query for each kind of row, whatever the book's size: PostgreSQL takes 65 535 parameters.
_PARENTS_A_QUERY = 50_000


def _position(
    cursor: Annotated[
        str | None,
        Query(description="`next_cursor` of the answer before; left out for the first books."),
    ] = None,
) -> Position | None:
    """Return where to go on; a malformed cursor is answered like any other bad parameter."""
    if cursor is None:
        return None
    try:
        return decode(cursor)
    except ValueError as error:
        complaint = {
            "type": "value_error",
            "loc": ("query", "cursor"),
            "msg": f"Value error, {error}: take the next_cursor of an answer, unchanged",
            "input": cursor,
        }
        raise RequestValidationError([complaint]) from error


@router.get("", summary="List books")
def list_books(
    session: DatabaseSession,
    position: Annotated[Position | None, Depends(_position)],
    limit: Annotated[int, Query(ge=1, le=100, description="How many at most.")] = 20,
) -> BookList:
    """Return the books that everybody may see, oldest first, a page at a time."""
    # One more than asked for tells whether there is a next page.
    books = session.scalars(_books_after(position).limit(limit + 1)).all()
    shown = books[:limit]
    return BookList(
        items=[BookSummary.model_validate(book) for book in shown],
        next_cursor=_cursor(shown[-1]) if len(books) > limit else None,
    )


@router.get(
    "/{book_id}",
    summary="Read a book",
    responses={
        status.HTTP_404_NOT_FOUND: {
            "model": Problem,
            "description": "There is no such book, or it is not there for everybody.",
        }
    },
)
def read_book(
    session: DatabaseSession, book_id: Annotated[UUID, Path(description="The book's id.")]
) -> BookDetail:
    """Return a book with its pages, what is said on them, and the recordings, all in order."""
    book = session.scalar(_whole_book(book_id))
    if book is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "There is no such book.")
    return BookDetail.model_validate(book)


def _visible_to_everybody() -> ColumnElement[bool]:
    return Book.visibility.in_([Visibility.PUBLIC, Visibility.DEFAULT])


def _books_after(position: Position | None) -> Select[Book]:
    key = tuple_(Book.created_at, Book.id)
    books = select(Book).where(_visible_to_everybody()).order_by(*key).options(raiseload("*"))
    return books if position is None else books.where(key > (position.created_at, position.id))


def _whole_book(book_id: UUID) -> Select[Book]:
    pages = selectinload(Book.pages, chunksize=_PARENTS_A_QUERY)
    dialogues = pages.selectinload(Page.dialogues, chunksize=_PARENTS_A_QUERY)
    return (
        select(Book)
        .where(Book.id == book_id, _visible_to_everybody())
        .options(
            dialogues.selectinload(Dialogue.translations, chunksize=_PARENTS_A_QUERY),
            dialogues.selectinload(Dialogue.audios, chunksize=_PARENTS_A_QUERY),
            # Anything else that an answer reached for would cost a query a row.
            raiseload("*"),
        )
    )


def _cursor(book: Book) -> str:
    return encode(Position(book.created_at, book.id))
