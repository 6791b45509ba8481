"""Lists of books: filters, and the search for a title, a page at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from backend.models import Dialogue, DialogueTranslation, Page
from backend.services.access import Shelf
from backend.services.book_queries import list_books
from backend.services.filters import BookFilters
from backend.services.listing import PageRequest
from tests.api.lists import titles, walk
from tests.api.paths import BOOKS
from tests.api.people import sign_up
from tests.api.queries import listened_to
from tests.api.rows import MORNING, add_book, add_owner

TITLES = {
    "My Playground Day",
    "Mina's day at the sea",
    "Über den Wolken",
    "Le goûter d'Élise",
    "우리 그네를 타요",
    "我的游乐场一天",
    "ぼくの公園の日",
    "วันของฉันที่สนามเด็กเล่น",
    "मेरा खेल का मैदान",
    "Мой день",
    "يومي في الملعب",
    "100% up-and-away (part 2)",
    "🚀",
}


@pytest.fixture
def titled(session: Session) -> None:
    owner = add_owner(session)
    for hour, title in enumerate(sorted(TITLES)):
        add_book(session, owner, title, created_at=MORNING + timedelta(hours=hour))
    session.commit()


@pytest.mark.usefixtures("titled")
@pytest.mark.parametrize(
    ("searched", "found"),
    [
        ("playground", {"My Playground Day"}),
        ("day", {"My Playground Day", "Mina's day at the sea"}),
        ("day my", {"My Playground Day"}),
        ("play my", {"My Playground Day"}),
        ("ground", set()),
        ("mina's", {"Mina's day at the sea"}),
        ("mina sea", {"Mina's day at the sea"}),
        ("über", {"Über den Wolken"}),
        ("goûter élise", {"Le goûter d'Élise"}),
        ("그네", {"우리 그네를 타요"}),
        ("游乐场", {"我的游乐场一天"}),
        ("场乐", set()),
        ("一天 我的", {"我的游乐场一天"}),
        ("公園", {"ぼくの公園の日"}),
        ("สนาม", {"วันของฉันที่สนามเด็กเล่น"}),
        ("खेल", {"मेरा खेल का मैदान"}),
        ("ДЕНЬ", {"Мой день"}),
        ("الملعب", {"يومي في الملعب"}),
        ("up-and-away", {"100% up-and-away (part 2)"}),
        ("2", {"100% up-and-away (part 2)"}),
        ("100 %", {"100% up-and-away (part 2)"}),
        ("  sea\t", {"Mina's day at the sea"}),
        ("& | ! <-> :* ' \\ %", TITLES),
        ("'day", {"My Playground Day", "Mina's day at the sea"}),
        ("day & !sea", {"Mina's day at the sea"}),
        ("nowhere", set()),
        ("day " * 75, {"My Playground Day", "Mina's day at the sea"}),
        ("", TITLES),
        ("  ", TITLES),
    ],
)
def test_titles_are_searched_in_any_language(
    client: httpx.Client, searched: str, found: set[str]
) -> None:
    """Each word, or its beginning; in scripts without spaces, any part."""
    assert set(titles(walk(client, 100, title=searched))) == found


@pytest.fixture
def shelved(session: Session) -> None:
    """Books of each kind, one an hour, with words in one language each."""
    owner = add_owner(session)
    kinds = [
        (genre, age, language)
        for genre in ("adventure", "bedtime")
        for age in ("3-5", "6-8")
        for language in ("en", "ko")
    ] * 3
    for hour, (genre, age, language) in enumerate(kinds):
        book = add_book(
            session, owner, f"{genre} {age} {language}", created_at=MORNING + timedelta(hours=hour)
        )
        book.genre, book.target_age = genre, age
        words = DialogueTranslation(language_code=language, text="Hello!")
        lines = [Dialogue(sequence=n, speaker="Mina", translations=[]) for n in (1, 2)]
        lines[1].translations = [words]
        session.add(Page(book_id=book.id, sequence=1, dialogues=lines))
    session.commit()


FILTERS = (
    {"genre": "adventure"},
    {"target_age": "6-8"},
    {"language": "ko"},
    {"title": "bedtime"},
    {"title": "bed", "target_age": "3-5", "language": "en"},
    {"genre": "adventure", "language": "ko", "title": "ko 6-8"},
    {"genre": "ADVENTURE"},
    {"language": "fr"},
)


def fits(book: dict[str, Any], filters: dict[str, str]) -> bool:
    """Return whether a book of `shelved` fits: its title names its genre, age and language."""
    genre, age, language = book["title"].split()
    return (
        filters.get("genre", genre) == genre
        and filters.get("target_age", age) == age
        and filters.get("language", language) == language
        and all(
            any(word.startswith(it) for word in (genre, age, language))
            for it in filters.get("title", "").split()
        )
    )


@pytest.mark.usefixtures("shelved")
@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_the_pages_of_a_filtered_list_are_those_of_the_whole_list(
    client: httpx.Client, order: str
) -> None:
    """Each book that fits once, in the same order, whatever fits to a page."""
    whole = [book for page in walk(client, 100, order=order) for book in page]
    for filters in FILTERS:
        expected = [book["id"] for book in whole if fits(book, filters)]
        for limit in (1, 2, 5):
            pages = list(walk(client, limit, order=order, **filters))
            assert [book["id"] for page in pages for book in page] == expected, filters
            assert all(len(page) == limit for page in pages[:-1])


@pytest.mark.usefixtures("shelved")
def test_a_cursor_keeps_its_place_under_other_filters(client: httpx.Client) -> None:
    first = client.get(BOOKS, params={"limit": 5}).json()
    rest = client.get(
        BOOKS, params={"limit": 100, "language": "ko", "cursor": first["next_cursor"]}
    ).json()["items"]
    whole = [book for page in walk(client, 100) for book in page]
    assert rest == [book for book in whole[5:] if book["title"].endswith("ko")]


def test_filters_show_nobody_elses_books(service: httpx.Client) -> None:
    """A private book is found by its owner alone, on the shelf and in the whole list."""
    owner, other = sign_up(service), sign_up(service)
    book = owner.make("books", title="A hidden zebra", genre="hidden")["id"]
    for query in ("&title=zebra", "&genre=hidden", "&language=ko&title=hidden"):
        assert owner.ids("books", query) == {book}
        assert owner.ids("books", f"{query}&shelf=mine") == {book}
        assert other.ids("books", query) == set()


def test_each_filter_has_an_answer_of_its_own(session: Session, client: httpx.Client) -> None:
    """None is kept for another."""
    owner = add_owner(session)
    for name in ("one", "two"):
        add_book(session, owner, name).genre = name
    session.commit()
    for _ in range(2):
        for name in ("one", "two"):
            assert titles(walk(client, 9, genre=name)) == [name]
            assert titles(walk(client, 9, title=name)) == [name]
        assert set(titles(walk(client, 9))) == {"one", "two"}


@pytest.mark.parametrize(
    "query", ["genre=%00", "title=%00", f"title={'x' * 301}", "language=english!", "order=best"]
)
def test_a_filter_that_is_none_is_refused(client: httpx.Client, query: str) -> None:
    answer = client.get(f"{BOOKS}?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["query", query.partition("=")[0]]


def test_voices_are_listed_newest_first(service: httpx.Client) -> None:
    person = sign_up(service)
    made = [person.make("voices")["id"] for _ in range(3)]
    for query, expected in (("", made[::-1]), ("&order=oldest", made)):
        listed = person.ask("GET", f"/api/v1/voices?shelf=mine{query}").json()["items"]
        assert [it["id"] for it in listed] == expected


FILL = """
WITH owner AS (
    INSERT INTO users (email) VALUES ('many@example.org') RETURNING id
), book AS (
    INSERT INTO books (user_id, title, visibility, created_at)
    SELECT id, 'Book ' || n, 'public', now() + n * interval '1 second'
    FROM owner, generate_series(1, 5000) n RETURNING id
), page AS (
    INSERT INTO pages (book_id, sequence) SELECT id, 1 FROM book RETURNING id
), dialogue AS (
    INSERT INTO dialogues (page_id, sequence, speaker) SELECT id, 1, 'Mina' FROM page RETURNING id
)
INSERT INTO dialogue_translations (dialogue_id, language_code, text)
SELECT id, CASE WHEN random() < 0.001 THEN 'cy' ELSE 'en' END, '' FROM dialogue
"""


@contextmanager
def explained(session: Session) -> Iterator[list[str]]:
    """Give the plans of the statements that any engine runs meanwhile, one line each."""
    statements: list[tuple[str, Any]] = []
    plans: list[str] = []

    def note(_conn: object, _cursor: object, statement: str, given: Any, *_rest: object) -> None:
        statements.append((statement, given))

    with listened_to(Engine, "before_cursor_execute", note):
        yield plans
    for statement, given in statements:
        rows = session.connection().exec_driver_sql(f"EXPLAIN {statement}", given)
        plans.append(" ".join(line for (line,) in rows))


def test_a_search_uses_its_index(session: Session) -> None:
    """Among thousands of books."""
    session.execute(text(FILL))
    session.execute(text("ANALYZE"))
    for filters, index in (
        (BookFilters(title="4711"), "ix_books_title_words"),
        (BookFilters(title="book 47"), "ix_books_title_words"),
        (BookFilters(title="公園 日"), "ix_books_title_words"),
        (BookFilters(language="cy"), "ix_dialogue_translations_language_code"),
    ):
        with explained(session) as plans:
            list_books(session, None, Shelf.PUBLIC, filters, PageRequest(None, 20))
        [plan] = plans
        assert index in plan
        assert "Seq Scan on books" not in plan or filters.language


def test_a_rare_title_is_found_among_many(session: Session, client: httpx.Client) -> None:
    session.execute(text(FILL))
    session.commit()
    assert titles(walk(client, 100, title="book 4711")) == ["Book 4711"]
