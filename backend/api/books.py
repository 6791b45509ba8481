"""Books: a request without a token reads those that are there for everybody."""

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response, status
from sqlalchemy.orm import Session

from backend.api.authentication import NOBODY_MAY_ASK, Owner
from backend.api.cached_answers import Reader, Reading, as_json, dumped, found
from backend.api.list_parameters import Filtered, OnShelf, PageParameter
from backend.api.problems import answers
from backend.api.routes import Forgetting
from backend.api.writer import Writing
from backend.schemas.book_input import BookChange, NewBook
from backend.schemas.books import BookDetail, BookList, BookSummary
from backend.schemas.field_types import LanguageCode
from backend.schemas.request_body import Sent
from backend.services import book_queries, books
from backend.services.book_json import has_language, in_language
from backend.services.book_queries import own_book, shared_book
from backend.services.cache_keys import item_key, list_key

router = APIRouter(prefix="/api/v1/books", tags=["books"], route_class=Forgetting)

_MARKED = "marked"
_NONE = "none"
"""What is kept of a book beside its answers in all languages and in each: no codes of languages."""

BookId = Annotated[UUID, Path(description="The book's id.")]


@router.get(
    "",
    summary="List books",
    response_model=BookList,
    responses=answers(401, 422, 503),
    openapi_extra=NOBODY_MAY_ASK,
)
async def list_books(
    reader: Reading, page: PageParameter, filters: Filtered, shelf: OnShelf = None
) -> Response:
    """Return the books that you see, newest first if not asked otherwise, a page at a time.

    Each filter leaves fewer of them.
    """
    viewer = reader.viewer
    return await reader.list(
        list_key("book", viewer, shelf, page, filters),
        lambda session: dumped(book_queries.list_books(session, viewer, shelf, filters, page)),
    )


@router.post(
    "",
    summary="Make a book",
    status_code=status.HTTP_201_CREATED,
    response_model=BookDetail,
    responses=answers(400, 401, 409, 422, 503),
)
async def create_book(writer: Writing, owner: Owner, new: Sent[NewBook]) -> Response:
    """Make a book of your own, with the pages that it has already."""
    made = await writer.write(_create_book, owner, new)
    return as_json(made, status.HTTP_201_CREATED)


def _create_book(session: Session, owner: UUID, new: NewBook) -> bytes:
    return in_language(books.create_book(session, owner, new), None)


@router.get(
    "/{book_id}",
    summary="Read a book",
    response_model=BookDetail,
    responses=answers(401, 404, 422, 503),
    openapi_extra=NOBODY_MAY_ASK,
)
async def read_book(
    reader: Reading,
    book_id: BookId,
    language: Annotated[
        LanguageCode | None,
        Query(description="Only the words and recordings in this language; else in all."),
    ] = None,
) -> Response:
    """Return a book with its pages, what is said on them, and the recordings, all in order."""
    book = await reader.one(
        item_key("book", book_id, _MARKED),
        lambda session, owner: _unmarked(own_book(session, owner, book_id), language),
        lambda: _shared_book(reader, book_id, language),
        reader.opened.whole_books,
    )
    return found(book, "book")


async def _shared_book(reader: Reader, book_id: UUID, language: str | None) -> bytes | None:
    """Return a book that everybody sees, read once for all languages.

    In the languages that it does not have it is the same.
    """

    def read(session: Session) -> bytes | None:
        return shared_book(session, book_id)

    key = item_key("book", book_id, _MARKED)
    marked = await reader.shared(key, read, reader.opened.whole_books)
    if marked is None:
        return None
    if language is not None and not has_language(marked, language):
        language = _NONE
    # Many requests may wait for their turn: none of them keeps a book in memory meanwhile.
    del marked
    return await reader.made(
        item_key("book", book_id, language), key, read, partial(in_language, language=language)
    )


def _unmarked(marked: bytes | None, language: str | None) -> bytes | None:
    return None if marked is None else in_language(marked, language)


@router.patch(
    "/{book_id}",
    summary="Change a book",
    responses=answers(400, 401, 403, 404, 409, 422, 503),
)
async def change_book(
    writer: Writing, owner: Owner, book_id: BookId, change: Sent[BookChange]
) -> BookSummary:
    """Change a book of your own. The status goes from draft to creating or completed, from
    creating to completed or failed, from failed to creating or draft, from completed to draft.
    """
    return await writer.write(books.change_book, owner, book_id, change)


@router.delete(
    "/{book_id}",
    summary="Delete a book",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=answers(401, 403, 404, 409, 422, 503),
)
async def delete_book(writer: Writing, owner: Owner, book_id: BookId) -> None:
    """Delete a book of your own, with everything in it."""
    await writer.write(books.delete_book, owner, book_id)
