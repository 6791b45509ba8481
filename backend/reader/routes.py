"""Routes of the reader. The pages are the same for everybody: a token is not looked at."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, HTTPException, Path, Query, Request, Response
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from backend.api.cached_answers import Reader
from backend.api.dependencies import OpenResources
from backend.reader.drawing import HEADERS, draw_page, draw_shelf
from backend.reader.words import Words, words_for
from backend.schemas.field_types import Cursor
from backend.services.book_queries import list_books
from backend.services.cache_keys import book_page_key, shelf_page_key
from backend.services.cursor import decode
from backend.services.errors import NotFoundError
from backend.services.filters import BookFilters
from backend.services.listing import PageRequest
from backend.services.shared_pages import shared_page

_ON_A_SHELF = 24
"""Books."""


async def _anybody(request: Request, opened: OpenResources) -> Reader:
    return Reader(None, request, opened)


async def _words(accept_language: Annotated[str, Header()] = "") -> Words:
    return words_for(accept_language)


async def _at_root(opened: OpenResources) -> None:
    """Answer 404 if the shelf is not at the root."""
    if not opened.has_shelf_at_root:
        raise HTTPException(404)


Anybody = Annotated[Reader, Depends(_anybody)]
Spoken = Annotated[Words, Depends(_words)]
Position = Annotated[int, Path(ge=1, le=2**31 - 1)]

router = APIRouter(include_in_schema=False)


@router.get("/", dependencies=[Depends(_at_root)])
@router.get("/read")
async def shelf(
    reader: Anybody, words: Spoken, cursor: Annotated[Cursor | None, Query()] = None
) -> Response:
    """Return a page of the shelf of shared books, newest first."""
    page = PageRequest(None if cursor is None else decode(cursor), _ON_A_SHELF)

    def read(session: Session) -> bytes:
        return draw_shelf(words, list_books(session, None, None, BookFilters(), page))

    return _html(await reader.shared(shelf_page_key(page, words.language), read))


@router.get("/read/{book_id}")
async def first_page(reader: Anybody, words: Spoken, book_id: UUID) -> Response:
    """Return the first page of a shared book."""
    return await _book_page(reader, words, book_id, None)


@router.get("/read/{book_id}/{position}")
async def page(reader: Anybody, words: Spoken, book_id: UUID, position: Position) -> Response:
    """Return the page at a position of a shared book."""
    return await _book_page(reader, words, book_id, position)


async def _book_page(reader: Reader, words: Words, book_id: UUID, position: int | None) -> Response:
    def read(session: Session) -> bytes | None:
        shared = shared_page(session, book_id, position)
        return None if shared is None else draw_page(words, shared)

    key = book_page_key(book_id, position, words.language)
    # A page may be as large as a whole book.
    return _html(await reader.shared(key, read, reader.opened.whole_books))


def _html(drawn: bytes | None) -> Response:
    if drawn is None:
        raise NotFoundError("There is no such page.")
    return HTMLResponse(drawn, headers=HEADERS)
