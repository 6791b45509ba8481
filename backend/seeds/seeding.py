"""Insert the stories that are absent, and nothing else.

Each row is looked up by its natural key. Its children refer to the row that was found,
even if a person inserted it. So data that a person wrote or changed stays as it is.
"""

from uuid import UUID

from sqlalchemy import Connection, Join, Subquery, Values, and_, exists, literal, select
from sqlalchemy.dialects.postgresql import Insert, distinct_on, insert

from alembic_boot.errors import SeedingFailedError
from backend.models import (
    SYSTEM_EMAIL,
    Book,
    BookStatus,
    Dialogue,
    DialogueAudio,
    DialogueTranslation,
    Page,
    User,
    Visibility,
)
from backend.seeds.expected import expected_lines, expected_pages
from backend.seeds.stories import LANGUAGE, SPEAKER, STORIES, VOICE


def seed(connection: Connection) -> int:
    """Insert absent rows in the caller's transaction, and return their number.

    If nothing is absent, this is one query without a lock. Otherwise only one seeder works at a
    time, and the next seeder sees the rows of the one before: in READ COMMITTED a statement sees
    all rows that were committed before it began.

    Raises SeedingFailedError if the system's address has an account with a password.
    """
    if not _is_anything_absent(connection):
        return 0
    inserted, owner = _insert_and_lock_owner(connection)
    inserted += _insert_books(connection, owner)
    # Parents first: each statement joins with the rows of the one before.
    for insertion in (_pages(), _dialogues(), _translations(), _audios()):
        inserted += connection.execute(insertion).rowcount
    return inserted


def _is_anything_absent(connection: Connection) -> bool:
    line = expected_lines()
    english = and_(
        DialogueTranslation.dialogue_id == Dialogue.id,
        DialogueTranslation.language_code == LANGUAGE,
    )
    narrated = and_(
        DialogueAudio.dialogue_id == Dialogue.id,
        DialogueAudio.language_code == LANGUAGE,
        DialogueAudio.voice_id == VOICE,
    )
    absent = (
        select(literal(1))
        .select_from(_lines_with_dialogues(line, isouter=True))
        .outerjoin(DialogueTranslation, english)
        .outerjoin(DialogueAudio, narrated)
        .where(DialogueTranslation.id.is_(None) | DialogueAudio.id.is_(None))
    )
    return bool(connection.scalar(select(exists(absent))))


def _insert_and_lock_owner(connection: Connection) -> tuple[int, UUID]:
    """Return the number of inserted system users, and the id; lock its row until the end.

    The lock blocks other seeders. It is FOR NO KEY UPDATE: a plain FOR UPDATE would also block all
    inserts of books for this user.

    Raises SeedingFailedError if the account has a password: then a person could sign in to it, and
    would own the default books.
    """
    inserted = connection.execute(insert(User).values(email=SYSTEM_EMAIL).on_conflict_do_nothing())
    owner = select(User.id, User.password_hash).where(User.email == SYSTEM_EMAIL)
    identifier, password_hash = connection.execute(owner.with_for_update(key_share=True)).one()
    if password_hash is not None:
        raise SeedingFailedError(
            f"The account {SYSTEM_EMAIL} has a password, so it is not the system's own.",
            "Find out who created it. Then delete it, rename it or set its "
            "password_hash to NULL by "
            "SQL; or start with SEED=false.",
        )
    return inserted.rowcount, identifier


def _insert_books(connection: Connection, owner: UUID) -> int:
    """Insert the titles that the owner does not have; only the lock prevents duplicates."""
    present = set(connection.scalars(select(Book.title).where(Book.user_id == owner)))
    absent = [story for story in STORIES if story.title not in present]
    for story in absent:
        connection.execute(
            insert(Book).values(
                user_id=owner,
                title=story.title,
                cover_image=f"/static/images/{story.slug}/cover.png",
                genre=story.genre,
                target_age=story.target_age,
                theme=story.theme,
                status=BookStatus.COMPLETED,
                is_default=True,
                visibility=Visibility.DEFAULT,
            )
        )
    return len(absent)


def _pages() -> Insert:
    page, book = expected_pages(), _books()
    rows = select(book.c.id, page.c.sequence, page.c.image_url, page.c.image_prompt).join_from(
        page, book, book.c.title == page.c.title
    )
    columns = ["book_id", "sequence", "image_url", "image_prompt"]
    return insert(Page).from_select(columns, rows).on_conflict_do_nothing()


def _dialogues() -> Insert:
    line = expected_lines()
    rows = select(Page.id, line.c.sequence, literal(SPEAKER)).select_from(_lines_with_pages(line))
    columns = ["page_id", "sequence", "speaker"]
    return insert(Dialogue).from_select(columns, rows).on_conflict_do_nothing()


def _translations() -> Insert:
    """Return the INSERT of the English texts; primary unless a person chose another language."""
    line = expected_lines()
    primary = exists().where(
        DialogueTranslation.dialogue_id == Dialogue.id, DialogueTranslation.is_primary
    )
    rows = select(Dialogue.id, literal(LANGUAGE), line.c.text, ~primary).select_from(
        _lines_with_dialogues(line)
    )
    columns = ["dialogue_id", "language_code", "text", "is_primary"]
    return insert(DialogueTranslation).from_select(columns, rows).on_conflict_do_nothing()


def _audios() -> Insert:
    line = expected_lines()
    rows = select(
        Dialogue.id, literal(LANGUAGE), literal(VOICE), line.c.audio_url, line.c.duration
    ).select_from(_lines_with_dialogues(line))
    columns = ["dialogue_id", "language_code", "voice_id", "audio_url", "duration"]
    return insert(DialogueAudio).from_select(columns, rows).on_conflict_do_nothing()


def _books() -> Subquery:
    """Return the system user's books by title: the oldest, if several have the same title.

    If the account has a password, it is not the system's, and neither are its books.
    """
    return (
        select(Book.id, Book.title)
        .join(User, User.id == Book.user_id)
        .where(User.email == SYSTEM_EMAIL, User.password_hash.is_(None))
        .ext(distinct_on(Book.title))
        .order_by(Book.title, Book.created_at, Book.id)
        .subquery("book")
    )


def _lines_with_pages(line: Values, *, isouter: bool = False) -> Join:
    book = _books()
    return line.join(book, book.c.title == line.c.title, isouter=isouter).join(
        Page, and_(Page.book_id == book.c.id, Page.sequence == line.c.page), isouter=isouter
    )


def _lines_with_dialogues(line: Values, *, isouter: bool = False) -> Join:
    return _lines_with_pages(line, isouter=isouter).join(
        Dialogue,
        and_(Dialogue.page_id == Page.id, Dialogue.sequence == line.c.sequence),
        isouter=isouter,
    )
