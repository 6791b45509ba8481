"""Book routes: a request without a token reads the shared books."""

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response, status
from sqlalchemy.orm import Session

from backend.api.authentication import TOKEN_IS_OPTIONAL, Owner
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
"""Cache variant of the marked book, beside its answers per language; not a language code."""

BookId = Annotated[UUID, Path(description="The book's id.")]


@router.get(
    "",
    summary="List books",
    response_model=BookList,
    responses=answers(401, 422, 503),
    openapi_extra=TOKEN_IS_OPTIONAL,
)
async def list_books(
    reader: Reading, page: PageParameter, filters: Filtered, shelf: OnShelf = None
) -> Response:
    """Return a page of the books that you see, newest first by default.

    Each filter selects fewer books.
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
    """Create a book of your own, with its first pages if you send any."""
    made = await writer.write(_create_book, owner, new)
    return as_json(made, status.HTTP_201_CREATED)


def _create_book(session: Session, owner: UUID, new: NewBook) -> bytes:
    return in_language(books.create_book(session, owner, new), None)


@router.get(
    "/{book_id}",
    summary="Read a book",
    response_model=BookDetail,
    responses=answers(401, 404, 422, 503),
    openapi_extra=TOKEN_IS_OPTIONAL,
)
async def read_book(
    reader: Reading,
    book_id: BookId,
    language: Annotated[
        LanguageCode | None,
        Query(
            description="Only texts and recordings in this language; without it, in all languages."
        ),
    ] = None,
) -> Response:
    """Return a book with its pages, dialogues and recordings, all in order."""
    book = await reader.one(
        item_key("book", book_id, _MARKED),
        lambda session, owner: _unmarked(own_book(session, owner, book_id), language),
        lambda: _shared_book(reader, book_id, language),
        reader.opened.whole_books,
    )
    return found(book, "book")


async def _shared_book(reader: Reader, book_id: UUID, language: str | None) -> bytes | None:
    """Return a shared book, read once for all languages.

    The answer is the same for every language that the book does not have.
    """

    def read(session: Session) -> bytes | None:
        return shared_book(session, book_id)

    key = item_key("book", book_id, _MARKED)
    marked = await reader.shared(key, read, reader.opened.whole_books)
    if marked is None:
        return None
    if language is not None and not has_language(marked, language):
        language = _NONE
    # Many requests may wait here; none of them holds a book in memory meanwhile.
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
    """Change a book of your own.

    Allowed changes of the status: draft to creating or completed, creating to completed or failed,
    failed to creating or draft, completed to draft.
    """
    return await writer.write(books.change_book, owner, book_id, change)


@router.delete(
    "/{book_id}",
    summary="Delete a book",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=answers(401, 403, 404, 409, 422, 503),
)
async def delete_book(writer: Writing, owner: Owner, book_id: BookId) -> None:
    """Delete a book of your own with all its parts."""
    await writer.write(books.delete_book, owner, book_id)
