"""Seeding inserts what is absent, once, and leaves everything else as people have made it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import IntegrityError

from alembic_boot.errors import SeedingFailedError
from backend.seeds import seed

pytestmark = pytest.mark.slow  # each test has a database of its own

PLAYGROUND, MOUNTAIN = "My Playground Day", "My Mountain Adventure"
# Counted by hand: one user, two books, nine pages, and two lines on each of them.
ROWS = {
    "users": 1,
    "books": 2,
    "pages": 9,
    "dialogues": 18,
    "dialogue_translations": 18,
    "dialogue_audios": 18,
}
PAGE_OF_PLAYGROUND = (
    f"(SELECT p.id FROM pages p JOIN books b ON b.id = p.book_id "
    f"WHERE b.title = '{PLAYGROUND}' AND p.sequence = 3)"
)
DIALOGUE_OF_PLAYGROUND = (
    f"(SELECT id FROM dialogues WHERE page_id = {PAGE_OF_PLAYGROUND} AND sequence = 1)"
)


def sow(engine: Engine) -> int:
    """Seed in a transaction of its own."""
    with engine.begin() as connection:
        return seed(connection)


def execute(engine: Engine, statement: str) -> None:
    """Do in a transaction of its own what a person does."""
    with engine.begin() as connection:
        connection.execute(text(statement))


def rows(engine: Engine, query: str) -> list[tuple[object, ...]]:
    """Return the rows of a query."""
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def counts(engine: Engine) -> dict[str, int]:
    """Return how many rows each table has that seeding fills."""
    with engine.connect() as connection:
        return {
            table: connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
            for table in ROWS
        }


def everything(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows of all tables, transaction ids included: an update in place would show."""
    return {table: rows(engine, f"SELECT xmin::text, * FROM {table} ORDER BY id") for table in ROWS}


def statements(engine: Engine, action: Callable[[], object]) -> list[str]:
    """Return the statements that an action sends."""
    sent: list[str] = []

    def record(*arguments: object) -> None:
        sent.append(str(arguments[2]))

    event.listen(engine, "before_cursor_execute", record)
    try:
        action()
    finally:
        event.remove(engine, "before_cursor_execute", record)
    return sent


def sow_at_once(engine: Engine, seeders: int) -> int:
    """Seed from many connections that all begin at the same moment; return the sum."""
    barrier = Barrier(seeders)

    def one(_number: int) -> int:
        with engine.begin() as connection:
            connection.execute(text("SELECT 1"))
            barrier.wait(timeout=30)
            return seed(connection)

    with ThreadPoolExecutor(seeders) as pool:
        return sum(pool.map(one, range(seeders)))


def test_an_empty_database_gets_everything(engine: Engine) -> None:
    """The number that is returned is that of the rows that are there."""
    assert sow(engine) == sum(ROWS.values())
    assert counts(engine) == ROWS


def test_the_system_user_cannot_sign_in(engine: Engine) -> None:
    """It is active, and has no password."""
    sow(engine)
    assert rows(engine, "SELECT email, password_hash, is_active FROM users") == [
        ("system@moriai.ai", None, True)
    ]


def test_the_books_are_on_everybodys_shelf(engine: Engine) -> None:
    """Both are complete default books with all that a list shows of them."""
    sow(engine)
    query = (
        "SELECT title, status, is_default, visibility FROM books "
        "WHERE num_nulls(cover_image, genre, target_age, theme) = 0 ORDER BY title"
    )
    assert rows(engine, query) == [
        (MOUNTAIN, "completed", True, "default"),
        (PLAYGROUND, "completed", True, "default"),
    ]


def test_every_line_is_written_and_read_aloud(engine: Engine) -> None:
    """The narrator says each line in English, and there is a recording of it."""
    sow(engine)
    query = """
        SELECT DISTINCT d.speaker, t.language_code, t.is_primary, a.language_code, a.voice_id,
            a.audio_url LIKE '/static/audio/%.mp3', a.duration > 0
        FROM dialogues d
        JOIN dialogue_translations t ON t.dialogue_id = d.id
        JOIN dialogue_audios a ON a.dialogue_id = d.id
    """
    assert rows(engine, query) == [("Narrator", "en", True, "en", "narrator-en", True, True)]
    assert rows(engine, "SELECT count(DISTINCT audio_url) FROM dialogue_audios") == [(18,)]


def test_pages_are_in_the_order_of_the_story(engine: Engine) -> None:
    """The words are on the page that they were written for."""
    sow(engine)
    query = f"""
        SELECT p.sequence, t.text FROM books b JOIN pages p ON p.book_id = b.id
        JOIN dialogues d ON d.page_id = p.id AND d.sequence = 1
        JOIN dialogue_translations t ON t.dialogue_id = d.id
        WHERE b.title = '{MOUNTAIN}' ORDER BY p.sequence
    """
    assert rows(engine, query) == [
        (1, "The mountain is so tall that it wears the morning as a hat."),
        (2, "A bridge! It wobbles like a loose tooth."),
        (3, "Then the fog comes down and swallows the path, the trees, and the sky."),
        (4, "At the top Juno is taller than the clouds."),
    ]


def test_ten_times_is_once(engine: Engine) -> None:
    """Nothing is inserted and nothing is touched after the first time."""
    sow(engine)
    before = everything(engine)
    assert [sow(engine) for _ in range(10)] == [0] * 10
    assert everything(engine) == before


def test_one_query_where_nothing_is_absent(engine: Engine) -> None:
    """The common path asks once, and takes no lock of a row."""
    sow(engine)
    [query] = statements(engine, lambda: sow(engine))
    assert query.startswith("SELECT EXISTS")
    assert "FOR " not in query


def test_the_transaction_is_the_callers(engine: Engine) -> None:
    """What the caller rolls back was never there."""
    with engine.connect() as connection:
        assert seed(connection) == sum(ROWS.values())
        connection.rollback()
    assert counts(engine) == dict.fromkeys(ROWS, 0)


@pytest.mark.parametrize(
    ("damage", "missing"),
    [
        (f"DELETE FROM dialogue_audios WHERE dialogue_id = {DIALOGUE_OF_PLAYGROUND}", 1),
        (f"DELETE FROM dialogue_translations WHERE dialogue_id = {DIALOGUE_OF_PLAYGROUND}", 1),
        (f"DELETE FROM dialogues WHERE id = {DIALOGUE_OF_PLAYGROUND}", 1 + 1 + 1),
        (f"DELETE FROM pages WHERE id = {PAGE_OF_PLAYGROUND}", 1 + 2 * 3),
        (f"DELETE FROM books WHERE title = '{MOUNTAIN}'", 1 + 4 + 8 * 3),
        ("DELETE FROM users", sum(ROWS.values())),
    ],
    ids=["audio", "translation", "dialogue", "page", "book", "user"],
)
def test_only_what_is_missing_comes_back(engine: Engine, damage: str, missing: int) -> None:
    """Rows that were left are left; those that were lost are there again."""
    sow(engine)
    execute(engine, damage)
    remaining = everything(engine)
    assert sow(engine) == missing
    assert counts(engine) == ROWS
    after = everything(engine)
    for table, left in remaining.items():
        assert set(left) <= set(after[table]), table


def test_edits_are_kept(engine: Engine) -> None:
    """What a person wrote over the seed stays, even where its neighbours come back."""
    sow(engine)
    execute(
        engine,
        "UPDATE dialogue_translations SET text = 'Mine.' "
        f"WHERE dialogue_id = {DIALOGUE_OF_PLAYGROUND}",
    )
    execute(engine, f"UPDATE books SET theme = 'mine' WHERE title = '{PLAYGROUND}'")
    execute(engine, f"DELETE FROM dialogue_audios WHERE dialogue_id = {DIALOGUE_OF_PLAYGROUND}")
    assert sow(engine) == 1
    assert rows(engine, f"SELECT theme FROM books WHERE title = '{PLAYGROUND}'") == [("mine",)]
    assert rows(
        engine,
        f"SELECT text FROM dialogue_translations WHERE dialogue_id = {DIALOGUE_OF_PLAYGROUND}",
    ) == [("Mine.",)]


def test_rows_that_a_person_made_are_used(engine: Engine) -> None:
    """A user, a book and a page of the same natural key get the children that they lack."""
    execute(
        engine,
        f"""
        WITH owner AS (
            INSERT INTO users (email, is_active) VALUES ('system@moriai.ai', false) RETURNING id
        ), book AS (
            INSERT INTO books (user_id, title, theme) SELECT id, '{MOUNTAIN}', 'mine' FROM owner
            RETURNING id
        )
        INSERT INTO pages (book_id, sequence, image_url) SELECT id, 2, '/mine.png' FROM book
        """,
    )
    assert sow(engine) == sum(ROWS.values()) - 3
    assert counts(engine) == ROWS
    query = f"""
        SELECT u.is_active, b.theme, b.is_default, p.image_url, count(d.id)
        FROM users u JOIN books b ON b.user_id = u.id AND b.title = '{MOUNTAIN}'
        JOIN pages p ON p.book_id = b.id AND p.sequence = 2
        JOIN dialogues d ON d.page_id = p.id GROUP BY 1, 2, 3, 4
    """
    assert rows(engine, query) == [(False, "mine", False, "/mine.png", 2)]


@pytest.mark.parametrize("has_books", [False, True])
def test_an_account_that_somebody_signs_in_to_gets_no_stories(
    engine: Engine, *, has_books: bool
) -> None:
    """A stranger with the system's address would own the books that everybody has."""
    if has_books:
        sow(engine)
        execute(engine, "UPDATE users SET password_hash = 'secret'")
    else:
        execute(
            engine, "INSERT INTO users (email, password_hash) VALUES ('system@moriai.ai', 'secret')"
        )
    before = everything(engine)
    with pytest.raises(SeedingFailedError, match=r"system@moriai\.ai has a password"):
        sow(engine)
    assert everything(engine) == before


def test_somebody_elses_book_is_another_book(engine: Engine) -> None:
    """The title alone is no key: people may call their own books what they like."""
    execute(
        engine,
        "WITH ada AS (INSERT INTO users (email) VALUES ('ada@example.org') RETURNING id) "
        f"INSERT INTO books (user_id, title) SELECT id, '{PLAYGROUND}' FROM ada",
    )
    assert sow(engine) == sum(ROWS.values())


def test_of_two_books_the_oldest_is_the_one(engine: Engine) -> None:
    """A second book of the same title, which nothing forbids, gets no pages."""
    sow(engine)
    execute(
        engine,
        "INSERT INTO books (user_id, title, created_at) "
        f"SELECT user_id, title, created_at + interval '1 day' FROM books "
        f"WHERE title = '{PLAYGROUND}'",
    )
    assert sow(engine) == 0
    execute(engine, f"DELETE FROM pages WHERE id = {PAGE_OF_PLAYGROUND}")
    assert sow(engine) == 7
    query = f"""
        SELECT count(p.id) FROM books b LEFT JOIN pages p ON p.book_id = b.id
        WHERE b.title = '{PLAYGROUND}' GROUP BY b.id ORDER BY b.created_at
    """
    assert rows(engine, query) == [(5,), (0,)]


def test_another_primary_language_is_respected(engine: Engine) -> None:
    """Where a person made another language the primary one, English comes back beside it."""
    sow(engine)
    execute(
        engine,
        "UPDATE dialogue_translations SET language_code = 'ko' "
        f"WHERE dialogue_id = {DIALOGUE_OF_PLAYGROUND}",
    )
    assert sow(engine) == 1
    query = (
        "SELECT language_code, is_primary FROM dialogue_translations "
        f"WHERE dialogue_id = {DIALOGUE_OF_PLAYGROUND} ORDER BY 1"
    )
    assert rows(engine, query) == [("en", False), ("ko", True)]


def test_ten_at_once_on_an_empty_database(engine: Engine) -> None:
    """Ten seeders that begin together insert each row once."""
    assert sow_at_once(engine, 10) == sum(ROWS.values())
    assert counts(engine) == ROWS


def test_ten_at_once_on_a_damaged_database(engine: Engine) -> None:
    """The system user exists, so that its row alone keeps a book from coming twice."""
    sow(engine)
    execute(engine, f"DELETE FROM books WHERE title = '{MOUNTAIN}'")
    assert sow_at_once(engine, 10) == 1 + 4 + 8 * 3
    assert counts(engine) == ROWS


def test_people_do_not_wait_for_a_seeder(engine: Engine) -> None:
    """While one seeds, somebody can add a book that refers to the system user."""
    sow(engine)
    execute(engine, f"DELETE FROM books WHERE title = '{MOUNTAIN}'")
    with engine.begin() as connection:
        assert seed(connection) > 0
        execute(
            engine,
            "SET LOCAL lock_timeout = '2s';"
            "INSERT INTO books (user_id, title) SELECT id, 'Another' FROM users",
        )


def test_a_failure_is_the_callers_to_see(engine: Engine) -> None:
    """A schema that refuses the data raises, and nothing stays half done."""
    execute(engine, "ALTER TABLE dialogue_audios ADD CHECK (duration < 5)")
    with pytest.raises(IntegrityError):
        sow(engine)
    assert counts(engine) == dict.fromkeys(ROWS, 0)
