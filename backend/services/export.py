"""Everything that an account has, as JSON in parts: a book at a time, however many there are."""

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
from backend.services.cursor import decode
from backend.services.listing import Order, Shown, Turn, rows_of
from backend.services.marked import in_language
from backend.services.shelves import own_book
from backend.services.tokens import Claim

_AT_ONCE = 100
"""Rows of a query."""

Sessions = sessionmaker[Session]


def exported(sessions: Sessions, account: Account, claim: Claim) -> Iterator[bytes]:
    """Give the parts of an `Export`.

    Each part is read by a session of its own: a slow reader keeps no connection. So what changes
    meanwhile may be there as it was before, or after.

    Raises UnauthenticatedError if the account or its token ends meanwhile.
    """
    yield b'{"account":' + account.model_dump_json().encode()
    for part in _lists(sessions, account.id):
        # Between the reading and the end: what a deletion took away makes no export that is whole.
        with sessions() as session:
            require_active(session, claim)
        yield part
        # While the next one is read, this one is not needed.
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
            # While the next one is read, this one is not needed.
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
    """Give all rows that are the owner's, oldest first, some at a time and never none."""
    turn = Turn(None, _AT_ONCE, Order.OLDEST)
    while True:
        with sessions() as session:
            rows, cursor = rows_of(session, kind, shown, [is_own(kind, owner)], turn)
        if rows:
            yield rows
        if cursor is None:
            return
        turn = Turn(decode(cursor), _AT_ONCE, Order.OLDEST)


def _separated(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Give the items of a list as JSON, with commas between them."""
    comma = b""
    for part in parts:
        if comma:
            yield comma
        yield part
        comma = b","
        # While the next one is read, this one is not needed.
        del part
