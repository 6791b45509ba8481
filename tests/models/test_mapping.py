"""The classes, on a database made from them."""

from collections.abc import Iterator

import pytest
from sqlalchemy import NullPool, create_engine, func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from backend.models import (
    Audio,
    Base,
    Book,
    BookStatus,
    Dialogue,
    DialogueAudio,
    DialogueTranslation,
    Page,
    User,
    Visibility,
    Voice,
    VoiceStatus,
)


@pytest.fixture
def session(database_url: str) -> Iterator[Session]:
    """Give a session on a database that has the tables."""
    url = database_url.replace("postgresql://", "postgresql+psycopg2://", 1)
    engine = create_engine(url, poolclass=NullPool)
    with Session(engine) as session:
        Base.metadata.create_all(session.connection())
        yield session


def a_user() -> User:
    """Return a user who owns one of everything, with children out of order."""
    dialogue = Dialogue(
        sequence=1,
        speaker="Fox",
        translations=[
            DialogueTranslation(language_code="ko", text="Annyeong!"),
            DialogueTranslation(language_code="en", text="Hello!", is_primary=True),
        ],
        audios=[
            DialogueAudio(language_code="en", voice_id="v2", audio_url="/2.mp3", duration=0.5),
            DialogueAudio(language_code="en", voice_id="v1", audio_url="/1.mp3"),
        ],
    )
    second = Dialogue(sequence=2, speaker="Owl")
    pages = [Page(sequence=2), Page(sequence=1, dialogues=[second, dialogue])]
    return User(
        email="ada@example.org",
        books=[Book(title="A Book", pages=pages)],
        audios=[Audio(file_url="/a.mp3", file_size=3_000_000_000, meta_data={"take": 2})],
        voices=[Voice(provider_voice_id="v1", name="Ada")],
    )


def test_children_come_in_their_order(session: Session) -> None:
    """Pages, dialogues, translations and audios are read in a defined order."""
    session.add(a_user())
    session.flush()
    session.expire_all()
    book = session.scalars(select(Book)).one()
    assert [page.sequence for page in book.pages] == [1, 2]
    dialogues = book.pages[0].dialogues
    assert [dialogue.speaker for dialogue in dialogues] == ["Fox", "Owl"]
    assert [words.language_code for words in dialogues[0].translations] == ["en", "ko"]
    assert [audio.voice_id for audio in dialogues[0].audios] == ["v1", "v2"]


def test_defaults_are_the_databases(session: Session) -> None:
    """What is left out gets its value from the database, which other writers share."""
    session.add(a_user())
    session.flush()
    session.expire_all()
    user = session.scalars(select(User)).one()
    [book], [audio], [voice] = user.books, user.audios, user.voices
    assert user.is_active
    assert user.created_at.tzinfo is not None
    assert (book.status, book.visibility) == (BookStatus.CREATING, Visibility.PRIVATE)
    assert not book.is_default
    assert (voice.status, voice.visibility) == (VoiceStatus.PROCESSING, Visibility.PRIVATE)
    assert voice.meta_data == {}
    assert (audio.file_size, audio.meta_data) == (3_000_000_000, {"take": 2})


def test_deleting_a_user_deletes_what_was_theirs(session: Session) -> None:
    """One DELETE of the parent is enough: the database takes the children with it."""
    session.add(a_user())
    session.flush()
    session.expire_all()
    session.delete(session.scalars(select(User)).one())
    session.flush()
    for model in (Book, Page, Dialogue, DialogueTranslation, DialogueAudio, Audio, Voice):
        assert session.scalar(select(func.count()).select_from(model)) == 0, model


def test_labels_are_stored_in_lower_case(session: Session) -> None:
    """The database holds the values of the members, not their names."""
    user = a_user()
    user.books[0].visibility = Visibility.DEFAULT
    user.books[0].status = BookStatus.DRAFT
    session.add(user)
    session.flush()
    labels = session.execute(text("SELECT visibility::text, status::text FROM books")).one()
    assert tuple(labels) == ("default", "draft")


@pytest.mark.parametrize(
    ("table", "constraint"),
    [
        ("users (email) SELECT email", "uq_users_email"),
        ("pages (book_id, sequence) SELECT book_id, sequence", "uq_pages_book_id_sequence"),
        ("dialogues (page_id, sequence, speaker) SELECT page_id, sequence, 'X'", "uq_dialogues"),
        (
            "dialogue_translations (dialogue_id, language_code, text) "
            "SELECT dialogue_id, language_code, 'X'",
            "uq_dialogue_translations",
        ),
        (
            "dialogue_audios (dialogue_id, language_code, voice_id, audio_url) "
            "SELECT dialogue_id, language_code, voice_id, 'X'",
            "uq_dialogue_audios",
        ),
        (
            "voices (user_id, provider_voice_id, name) SELECT user_id, provider_voice_id, 'X'",
            "uq_voices_provider_voice_id",
        ),
    ],
    ids=["user", "page", "dialogue", "translation", "audio", "voice"],
)
def test_natural_keys_are_unique(session: Session, table: str, constraint: str) -> None:
    """A second row of the same natural key is refused."""
    session.add(a_user())
    session.flush()
    name = table.split(" ", 1)[0]
    with pytest.raises(IntegrityError, match=constraint):
        session.execute(text(f"INSERT INTO {table} FROM {name}"))


def test_a_default_book_is_visible(session: Session) -> None:
    """A book cannot be everybody's and hidden."""
    session.add(User(email="a@example.org", books=[Book(title="A Book", is_default=True)]))
    with pytest.raises(IntegrityError, match="ck_books_default_visibility"):
        session.flush()
