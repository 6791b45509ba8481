"""Export all data of an account as JSON in parts, one book at a time."""

from collections.abc import Iterable, Iterator
from uuid import UUID

from sqlalchemy.orm import Session, sessionmaker

from backend.models import Audio, Book, Voice
from backend.schemas.accounts import Account
from backend.schemas.books import BookSummary
from backend.schemas.export import AudioDetail
from backend.schemas.voices import VoiceDetail
from backend.services.access import is_own
from backend.services.accounts import require_active
from backend.services.book_json import in_language
from backend.services.book_queries import own_book
from backend.services.cursor import decode
from backend.services.listing import Order, PageRequest, Shown, rows_of
from backend.services.tokens import Claim

_AT_ONCE = 100
"""Rows per query."""

Sessions = sessionmaker[Session]


def exported(sessions: Sessions, account: Account, claim: Claim) -> Iterator[bytes]:
    """Yield the parts of an `Export`.

    A session of its own reads each part, so a slow client holds no connection. The export shows
    data that changes meanwhile either as it was before the change or after.

    Raises UnauthenticatedError if the account or its token ends meanwhile.
    """
    yield b'{"account":' + account.model_dump_json().encode()
    for part in _lists(sessions, account.id):
        # The account may have been deleted since the last query; then the export is not complete.
        with sessions() as session:
            require_active(session, claim)
        yield part
        # Free this part while the next one is read.
        del part


def _lists(sessions: Sessions, owner: UUID) -> Iterator[bytes]:
    yield b',"books":['
    yield from _separated(_books(sessions, owner))
    yield b'],"voices":['
    yield from _separated(_rows(sessions, owner, Voice, VoiceDetail))
    yield b'],"audios":['
    yield from _separated(_rows(sessions, owner, Audio, AudioDetail))
    yield b"]}"


def _books(sessions: Sessions, owner: UUID) -> Iterator[bytes]:
    for books in _pages(sessions, owner, Book, BookSummary):
        for book in books:
            whole = _book(sessions, owner, book.id)
            if whole is not None:  # it was not deleted meanwhile
                yield whole
            # Free this part while the next one is read.
            del whole


def _book(sessions: Sessions, owner: UUID, book_id: UUID) -> bytes | None:
    with sessions() as session:
        marked = own_book(session, owner, book_id)
    return None if marked is None else in_language(marked, None)


def _rows(
    sessions: Sessions, owner: UUID, kind: type[Voice] | type[Audio], shown: type[Shown]
) -> Iterator[bytes]:
    for rows in _pages(sessions, owner, kind, shown):
        yield b",".join(row.model_dump_json().encode() for row in rows)


def _pages(
    sessions: Sessions,
    owner: UUID,
    kind: type[Book] | type[Voice] | type[Audio],
    shown: type[Shown],
) -> Iterator[list[Shown]]:
    """Yield all rows of this owner, oldest first, in batches. No batch is empty."""
    page = PageRequest(None, _AT_ONCE, Order.OLDEST)
    while True:
        with sessions() as session:
            rows, cursor = rows_of(session, kind, shown, [is_own(kind, owner)], page)
        if rows:
            yield rows
        if cursor is None:
            return
        page = PageRequest(decode(cursor), _AT_ONCE, Order.OLDEST)


def _separated(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the items of a list as JSON, with commas between them."""
    comma = b""
    for part in parts:
        if comma:
            yield comma
        yield part
        comma = b","
        # Free this part while the next one is read.
        del part
