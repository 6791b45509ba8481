"""Revisions that move data move it both ways."""

import pytest
from sqlalchemy.exc import IntegrityError

from tests.migrations.migrated import Migrated
from tests.migrations.rows import BOOK, DIALOGUE, PAGE, USER

pytestmark = pytest.mark.slow  # each test has a database of its own


def add_book(migrated: Migrated, title: str, **columns: str) -> None:
    """Insert a book of the one user that there is."""
    names = ", ".join(["user_id", "title", *columns])
    literals = ", ".join(f"'{value}'" for value in [USER, title, *columns.values()])
    migrated.execute(f"INSERT INTO books ({names}) VALUES ({literals})")


def at(migrated: Migrated, revision: str) -> None:
    """Go up to a revision and add the user that books belong to."""
    migrated.upgrade(revision)
    migrated.execute(f"INSERT INTO users (id, email) VALUES ('{USER}', 'ada@example.org')")


def with_dialogues(migrated: Migrated, *texts: str) -> None:
    """Go up to 003 and add one page with a dialogue for each text."""
    at(migrated, "003")
    migrated.execute(f"INSERT INTO books (id, user_id, title) VALUES ('{BOOK}', '{USER}', 'B')")
    migrated.execute(f"INSERT INTO pages (id, book_id, sequence) VALUES ('{PAGE}', '{BOOK}', 1)")
    for number, text in enumerate(texts, start=1):
        identity = DIALOGUE if number == 1 else f"00000000-0000-0000-0001-00000000000{number}"
        migrated.execute(
            "INSERT INTO dialogues (id, page_id, sequence, speaker, text) "
            f"VALUES ('{identity}', '{PAGE}', {number}, 'Fox', '{text}')"
        )


def test_003_keeps_the_covers(migrated: Migrated) -> None:
    """The cover has another name, and is the same."""
    at(migrated, "002")
    add_book(migrated, "A", cover_image_url="/a.png")
    migrated.upgrade("003")
    assert migrated.rows("SELECT cover_image FROM books") == [("/a.png",)]
    migrated.downgrade("002")
    assert migrated.rows("SELECT cover_image_url FROM books") == [("/a.png",)]


def test_004_moves_texts_into_translations(migrated: Migrated) -> None:
    """Each text becomes the primary English translation; an empty one becomes none."""
    with_dialogues(migrated, "Hello!", "", "100 % true: no ''ifs''")
    migrated.upgrade("004")
    assert migrated.rows(
        "SELECT d.sequence, t.language_code, t.text, t.is_primary FROM dialogue_translations t "
        "JOIN dialogues d ON d.id = t.dialogue_id ORDER BY 1"
    ) == [
        (1, "en", "Hello!", True),
        (3, "en", "100 % true: no 'ifs'", True),
    ]


def test_004_gives_the_texts_back(migrated: Migrated) -> None:
    """What went up comes down, character by character."""
    with_dialogues(migrated, "Hello!", "", "100 % true: no ''ifs''")
    migrated.upgrade("004")
    migrated.downgrade("003")
    assert migrated.rows("SELECT text FROM dialogues ORDER BY sequence") == [
        ("Hello!",),
        ("",),
        ("100 % true: no 'ifs'",),
    ]


@pytest.mark.parametrize(
    ("translations", "text"),
    [
        ([("ko", "Annyeong!", "true", 2), ("en", "Hello!", "false", 1)], "Annyeong!"),
        ([("ko", "Annyeong!", "false", 2), ("fr", "Salut !", "false", 1)], "Salut !"),
        ([], ""),
    ],
    ids=["the primary one", "else the first", "else nothing"],
)
def test_004_keeps_one_language_on_the_way_down(
    migrated: Migrated, translations: list[tuple[str, str, str, int]], text: str
) -> None:
    """Of several translations the primary one stays, else the oldest, else an empty text."""
    with_dialogues(migrated, "")
    migrated.upgrade("004")
    for language, words, primary, day in translations:
        migrated.execute(
            "INSERT INTO dialogue_translations "
            "(dialogue_id, language_code, text, is_primary, created_at) "
            f"VALUES ('{DIALOGUE}', '{language}', '{words}', {primary}, '2024-01-0{day}')"
        )
    migrated.downgrade("003")
    assert [(text,)] == migrated.rows("SELECT text FROM dialogues")


def test_006_derives_the_visibility(migrated: Migrated) -> None:
    """Default wins over public, and public over private."""
    at(migrated, "005")
    add_book(migrated, "both", is_default="true", is_public="true")
    add_book(migrated, "default", is_default="true")
    add_book(migrated, "neither")
    add_book(migrated, "public", is_public="true")
    migrated.upgrade("006")
    assert migrated.rows("SELECT title, is_default, visibility FROM books ORDER BY title") == [
        ("both", True, "default"),
        ("default", True, "default"),
        ("neither", False, "private"),
        ("public", False, "public"),
    ]


def test_006_gives_the_flags_back(migrated: Migrated) -> None:
    """Public books are public again; a default book is one whichever column said so."""
    at(migrated, "006")
    add_book(migrated, "default", is_default="true", visibility="default")
    add_book(migrated, "default by visibility", visibility="default")
    add_book(migrated, "private", visibility="private")
    add_book(migrated, "public", visibility="public")
    migrated.downgrade("005")
    assert migrated.rows("SELECT title, is_default, is_public FROM books ORDER BY title") == [
        ("default", True, False),
        ("default by visibility", True, False),
        ("private", False, False),
        ("public", False, True),
    ]
    migrated.upgrade("006")
    assert migrated.rows("SELECT visibility FROM books ORDER BY title") == [
        ("default",),
        ("default",),
        ("private",),
        ("public",),
    ]


def test_007_refuses_a_default_book_that_is_hidden(migrated: Migrated) -> None:
    """From 007 on the database itself keeps default books visible."""
    at(migrated, "007")
    with pytest.raises(IntegrityError, match="ck_books_default_visibility"):
        add_book(migrated, "hidden", is_default="true")
