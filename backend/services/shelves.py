"""Books to read: lists, and one whole."""

from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session, raiseload, selectinload

from backend.models import Book, Dialogue, Page
from backend.schemas.books import BookDetail, BookList, BookSummary, PageDetail
from backend.services.access import Shelf, is_on_shelf, is_own, is_shared
from backend.services.listing import Turn, rows_of

# A query for each kind of row, for that is more than a book has room for: PostgreSQL takes 65 535
# parameters.
_PARENTS_A_QUERY = 50_000


def list_books(
    session: Session,
    viewer: UUID | None,
    shelf: Shelf | None,
    turn: Turn,
) -> BookList:
    """Return some of the books that `viewer` sees, in one query.

    Raises UnauthenticatedError where nobody asks for what is theirs.
    """
    books, next_cursor = rows_of(session, Book, is_on_shelf(Book, viewer, shelf), turn)
    return BookList(
        items=[BookSummary.model_validate(book) for book in books], next_cursor=next_cursor
    )


def shared_book(session: Session, book_id: UUID) -> BookDetail | None:
    """Return a book that everybody sees, in all languages: the same for whoever asks.

    As it was at one moment; the session's transaction must not have begun.
    """
    _begin_snapshot(session)
    return _whole_book(session, (Book.id == book_id) & is_shared(Book))


def own_book(session: Session, owner: UUID, book_id: UUID) -> BookDetail | None:
    """Return a book of its owner, in all languages.

    As it was at one moment; the session's transaction must not have begun.
    """
    _begin_snapshot(session)
    return _whole_book(session, (Book.id == book_id) & is_own(Book, owner))


def written_book(session: Session, book_id: UUID) -> BookDetail:
    """Return a book that this transaction has written, which nobody else can change before its end.

    Raises NoResultFound where it has not.
    """
    book = _whole_book(session, Book.id == book_id)
    if book is None:
        raise NoResultFound
    return book


def _begin_snapshot(session: Session) -> None:
    """Have all queries of the session's transaction see what the first one does.

    Else whoever sees a book while it is public could see words that were written when it was not
    any more.
    """
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def _whole_book(session: Session, condition: ColumnElement[bool]) -> BookDetail | None:
    pages = selectinload(Book.pages, chunksize=_PARENTS_A_QUERY)
    dialogues = pages.selectinload(Page.dialogues, chunksize=_PARENTS_A_QUERY)
    book = session.scalar(
        select(Book)
        .where(condition)
        .options(
            dialogues.selectinload(Dialogue.translations, chunksize=_PARENTS_A_QUERY),
            dialogues.selectinload(Dialogue.audios, chunksize=_PARENTS_A_QUERY),
            # Anything else that an answer reached for would cost a query a row.
            raiseload("*"),
        )
        # What this session wrote before is read as it was stored, in its order.
        .execution_options(populate_existing=True)
    )
    return None if book is None else BookDetail.model_validate(book)


def in_language(book: BookDetail | None, language: str | None) -> BookDetail | None:
    """Return the book with the words and recordings of one language, and no others."""
    if book is None or language is None:
        return book
    return book.model_copy(
        update={"pages": [_page_in_language(page, language) for page in book.pages]}
    )


def _page_in_language(page: PageDetail, language: str) -> PageDetail:
    dialogues = [
        dialogue.model_copy(
            update={
                "translations": [
                    it for it in dialogue.translations if it.language_code == language
                ],
                "audios": [it for it in dialogue.audios if it.language_code == language],
            }
        )
        for dialogue in page.dialogues
    ]
    return page.model_copy(update={"dialogues": dialogues})
