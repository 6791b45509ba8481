"""The reader: shared books as pages for people, by the rules and within the limits of the API."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from subprocess import run
from types import MappingProxyType

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from backend.main import create_app
from backend.models import (
    Book,
    Dialogue,
    DialogueAudio,
    DialogueTranslation,
    Page,
    Visibility,
)
from backend.reader import columns, drawing
from backend.reader.words import language_name, words_for
from tests.api.application_settings import settings_for
from tests.api.paths import BOOKS
from tests.api.people import sign_up
from tests.api.queries import counted_queries
from tests.api.rows import add_book, add_owner
from tests.api.server import serving

HOSTILE = "<script>alert('x')</script> & \"Friends\""
NOWHERE = "00000000-0000-0000-0000-000000000001"
BROWSER = MappingProxyType({"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})


class Tags(HTMLParser):
    """The elements of a page, each with its attributes."""

    def __init__(self, page: httpx.Response) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def of(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        return [
            has for name, has in self.found if name == tag and attributes.items() <= has.items()
        ]


def opened(client: httpx.Client, path: str, **headers: str) -> httpx.Response:
    """Return what a browser gets at a path."""
    return client.get(path, headers={**BROWSER, **headers})


def add_page(session: Session, book: Book, position: int, *words: dict[str, str]) -> Page:
    """Insert a page with an utterance for each of `words`: a speaker, and texts by language."""
    page = Page(book_id=book.id, sequence=position, image_prompt="A gate")
    for number, texts in enumerate(words, start=1):
        translations = [
            DialogueTranslation(language_code=code, text=text, is_primary=code == "ko")
            for code, text in texts.items()
            if code != "speaker"
        ]
        page.dialogues.append(
            Dialogue(sequence=number, speaker=texts["speaker"], translations=translations)
        )
    session.add(page)
    session.flush()
    return page


def test_the_shelf_has_all_shared_books_and_no_other(
    client: httpx.Client, session: Session
) -> None:
    """They are those of the API's list for a person without an account."""
    owner = add_owner(session)
    for visibility in Visibility:
        add_book(session, owner, f"A {visibility} book", visibility)
    session.commit()
    shelf = opened(client, "/read").text
    listed = [it["title"] for it in client.get(BOOKS).json()["items"]]
    assert re.findall(r'class="title".*?>(.*?)<', shelf) == listed
    assert "A private book" not in listed


def test_the_shelf_goes_on(client: httpx.Client, session: Session) -> None:
    owner = add_owner(session)
    books = {str(add_book(session, owner, f"Book {number}").id) for number in range(30)}
    session.commit()
    first = Tags(opened(client, "/read"))
    [more] = first.of("a", rel="next")
    last = Tags(opened(client, str(more["href"])))
    addresses = [
        str(it["href"]) for page in (first, last) for it in page.of("a", **{"class": "book"})
    ]
    assert sorted(addresses) == sorted(f"/read/{it}" for it in books)
    assert last.of("a", rel="next") == []


def test_page_after_page(client: httpx.Client, session: Session) -> None:
    """In the order of their positions, which may have gaps; the address of a book is its first."""
    book = add_book(session, add_owner(session))
    for position in (2, 5, 9):
        add_page(session, book, position, {"speaker": "Bo", "en": f"Words on {position}."})
    session.commit()
    path, seen = f"/read/{book.id}", []
    while path != "/read":
        page = opened(client, path)
        seen += re.findall(r"Words on \d|Page \d of \d(?=</span>)", page.text)
        path = str(Tags(page).of("a", **{"class": "button"})[-1]["href"])
    assert seen == [
        *("Words on 2", "Page 1 of 3"),
        *("Words on 5", "Page 2 of 3"),
        *("Words on 9", "Page 3 of 3"),
    ]
    [back] = Tags(opened(client, f"/read/{book.id}/9")).of("a", rel="prev")
    assert back["href"] == f"/read/{book.id}/5"


def test_languages_stand_side_by_side(client: httpx.Client, session: Session) -> None:
    """The author's language is first; each part says its language, and a speaker has none."""
    book = add_book(session, add_owner(session))
    add_page(
        session,
        book,
        1,
        {"speaker": "Mina", "en": "Hello!", "ko": "안녕!"},
        {"speaker": "Mina", "en": "Come in."},
        {"speaker": "Bo", "ar": "أهلا", "en": "Thank you."},
    )
    session.commit()
    page = opened(client, f"/read/{book.id}/1")
    assert [it["lang"] for it in Tags(page).of("section")] == ["ko", "ar", "en"]
    assert [it["aria-label"] for it in Tags(page).of("section")] == ["한국어", "العربية", "English"]
    english = page.text.partition('lang="en" dir="auto"')[2]
    lines = re.findall(r'<p class="(speaker|line)".*?>(.*?)</p>', english)
    assert lines == [
        ("speaker", "Mina"),
        ("line", "Hello!"),
        ("line", "Come in."),
        ("speaker", "Bo"),
        ("line", "Thank you."),
    ]


def test_a_book_is_text_and_nothing_else(client: httpx.Client, session: Session) -> None:
    book = add_book(session, add_owner(session), HOSTILE)
    book.target_age = book.cover_image = HOSTILE
    page = add_page(session, book, 1, {"speaker": HOSTILE, "en": HOSTILE, '"><script>': HOSTILE})
    page.image_prompt, page.image_url = HOSTILE, f"/{HOSTILE}"
    session.commit()
    for path in ("/read", f"/read/{book.id}"):
        answer = opened(client, path)
        assert answer.status_code == 200
        assert "alert(&#39;x&#39;)" in answer.text
        assert Tags(answer).of("script") == []


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("/static/1.png", "/static/1.png"),
        ("https://example.org/1.png", None),
        ("//example.org/1.png", None),
        ("/\\example.org/1.png", None),
        ("javascript:alert(1)", None),
        (None, None),
    ],
)
def test_pictures_from_elsewhere_are_not_loaded(url: str | None, shown: str | None) -> None:
    """The policy would refuse them; what they show is said instead."""
    assert columns.local_picture(url) == shown


def test_only_recordings_that_exist_are_offered(
    client: httpx.Client, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = add_book(session, add_owner(session))
    page = add_page(session, book, 1, {"speaker": "Bo", "en": "Hello!", "ko": "안녕!"})
    for voice in ("a", "b"):
        page.dialogues[0].audios.append(
            DialogueAudio(language_code="en", voice_id=voice, audio_url=f"/static/{voice}.mp3")
        )
    session.commit()
    monkeypatch.setattr(drawing, "static_files", lambda: {"/static/a.mp3": None})
    sounds = Tags(opened(client, f"/read/{book.id}/1")).of("audio")
    assert [it["src"] for it in sounds] == ["/static/a.mp3"]


def test_a_page_with_too_much_text(client: httpx.Client, session: Session) -> None:
    """Its beginning is shown: everybody may ask for it, and a page may be as large as a book."""
    book = add_book(session, add_owner(session))
    add_page(session, book, 1, *({"speaker": "Bo", "en": "'" * 10_000},) * 40)
    session.commit()
    page = opened(client, f"/read/{book.id}/1")
    assert len(page.content) < 6 * columns.MOST_TEXT
    assert re.findall(r'class="line".*?>(.*?)</p>', page.text)[-2:] == ["&#39;" * 10_000, "…"]


def test_a_book_without_pages(client: httpx.Client, session: Session) -> None:
    book = add_book(session, add_owner(session))
    session.commit()
    page = opened(client, f"/read/{book.id}")
    assert (page.status_code, "no pages yet" in page.text) == (200, True)


@pytest.mark.parametrize(
    "path",
    [
        "/read/{private}",
        "/read/{private}/1",
        "/read/{public}/2",
        "/read/{public}/0",
        f"/read/{{public}}/{'9' * 5000}",
        "/read/{public}/1/",
        f"/read/{NOWHERE}",
        "/read/nonsense",
        "/read?cursor=nonsense",
    ],
)
def test_what_nobody_may_read_is_not_there(
    client: httpx.Client, session: Session, path: str
) -> None:
    """A page says so to a browser, and it is the same for a private book as for none."""
    owner = add_owner(session)
    ids = {}
    for visibility in (Visibility.PRIVATE, Visibility.PUBLIC):
        book = add_book(session, owner, visibility=visibility)
        add_page(session, book, 1, {"speaker": "Bo", "en": "Hello!"})
        ids[visibility.value] = book.id
    session.commit()
    found = opened(client, path.format(**ids))
    nothing = opened(client, f"/read/{NOWHERE}/1")
    assert (found.status_code, found.content) == (404, nothing.content)
    assert "This page is not in any book" in found.text
    assert found.headers["content-type"] == "text/html; charset=utf-8"


def test_a_book_that_becomes_private(service: httpx.Client, kept_session: Session) -> None:
    """A token opens nothing here, not even the own book: these pages are for everybody."""
    person = sign_up(service)
    book = person.make("books")["id"]
    statuses = []
    for visibility in ("public", "private"):
        person.ask("PATCH", f"{BOOKS}/{book}", {"visibility": visibility})
        path = f"/read/{book}/1"
        statuses += [person.ask("GET", path).status_code, opened(service, path).status_code]
    assert statuses == [200, 200, 404, 404]


def test_a_page_is_read_once(seeded_client: httpx.Client) -> None:
    """Many readers of a page cost the database what one costs."""
    [book, *_] = seeded_client.get(BOOKS).json()["items"]
    paths = ("/read", f"/read/{book['id']}", f"/read/{book['id']}/2")
    first = [opened(seeded_client, it).content for it in paths]
    with counted_queries() as queries:
        assert [opened(seeded_client, it).content for it in paths] == first
    assert queries == []


@pytest.mark.slow
@pytest.mark.parametrize(("environment", "statuses"), [("prod", [200, 200]), ("dev", [307, 200])])
def test_where_the_shelf_is(seeded_url: str, environment: str, statuses: list[int]) -> None:
    """In prod it is what the service shows first; in dev the status page is."""
    app = create_app(settings_for(seeded_url, APP_ENV=environment))
    with serving(app) as client:
        answers = [opened(client, it) for it in ("/", "/read")]
    assert [it.status_code for it in answers] == statuses
    assert environment != "prod" or answers[0].content == answers[1].content


def test_every_page_has_a_strict_policy(seeded_client: httpx.Client) -> None:
    [book, *_] = seeded_client.get(BOOKS).json()["items"]
    for path in ("/read", f"/read/{book['id']}", f"/read/{NOWHERE}"):
        answer = opened(seeded_client, path)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'; img-src 'self'; ")
        assert "base-uri 'none'; form-action 'none'; frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "style=" not in answer.text
        assert "://" not in answer.text


def test_head_of_a_page(seeded_client: httpx.Client) -> None:
    for path, status in (("/read", 200), (f"/read/{NOWHERE}", 404)):
        head, get = (seeded_client.request(it, path, headers=BROWSER) for it in ("HEAD", "GET"))
        assert (head.status_code, head.content) == (status, b"")
        assert head.headers["content-length"] == str(len(get.content))
        assert head.headers["content-type"] == get.headers["content-type"]


@contextmanager
def without_books(session: Session) -> Iterator[None]:
    """Take the table away meanwhile, as if the schema were not ready."""
    for names in ("books RENAME TO scrolls", "scrolls RENAME TO books"):
        session.execute(text(f"ALTER TABLE {names}"))
        session.commit()
        if "TO scrolls" in names:
            yield


def test_a_schema_that_is_not_ready(client: httpx.Client, session: Session) -> None:
    """People are told in their words, programs in JSON; the address is good again afterwards."""
    with without_books(session):
        page, problem = opened(client, "/read"), client.get("/read")
        other = opened(client, BOOKS)
    back = opened(client, "/read")
    assert (page.status_code, page.headers["retry-after"]) == (503, "5")
    assert page.headers["cache-control"] == "no-store"
    assert "Please try again in 5 seconds." in page.text
    assert not re.search("schema|database", page.text)
    assert {it.headers["content-type"] for it in (problem, other)} == {"application/problem+json"}
    assert back.status_code == 200


def test_the_reader_speaks_the_readers_language(seeded_client: httpx.Client) -> None:
    """The words of its own; the books stay as they are."""
    page = opened(seeded_client, "/read", **{"Accept-Language": "ko-KR,ko;q=0.9,en;q=0.8"})
    assert Tags(page).of("html") == [{"lang": "ko"}]
    assert "함께 읽는 그림책" in page.text
    assert "My Playground Day" in page.text
    assert Tags(opened(seeded_client, "/read")).of("html") == [{"lang": "en"}]


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("ko", "ko"),
        ("KO-kr", "ko"),
        ("fr, ko;q=0.5", "ko"),
        ("en;q=0.4, ko;q=0.5", "ko"),
        ("en, ko", "en"),
        ("ko;q=0", "en"),
        ("ko;q=x", "en"),
        ("*, ;;,q=1", "en"),
        ("a," * 20 + "ko", "en"),
    ],
)
def test_the_language_that_is_preferred(accepted: str, language: str) -> None:
    assert words_for(accepted).language == language


def test_names_of_languages() -> None:
    codes = ["ko", "pt-BR", "xx"]
    assert [language_name(it) for it in codes] == ["한국어", "Português (pt-BR)", "xx"]


@pytest.mark.slow
def test_a_start_does_not_import_jinja2() -> None:
    """The first page does."""
    script = "import sys, backend.main; print('jinja2' in sys.modules)"
    finished = run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "False"
