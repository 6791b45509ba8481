from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from backend.main import create_app
from backend.models import Book, BookStatus
from backend.schemas.parts import MOST_PARTS
from backend.services.book_size_limit import MOST_TEXT
from backend.services.transitions import OF_BOOKS
from tests.api.lock_waits import await_waiting
from tests.api.paths import BOOKS
from tests.api.people import STORY, Person, sign_up
from tests.api.queries import counted_queries


@pytest.fixture(scope="module")
def person(service: httpx.Client) -> Iterator[Person]:
    yield sign_up(service)


def read(person: Person, book: dict[str, Any], query: str = "") -> dict[str, Any]:
    answer = person.ask("GET", f"{BOOKS}/{book['id']}{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def dialogue_path(book: dict[str, Any]) -> str:
    return f"{BOOKS}/{book['id']}/dialogues/{book['pages'][0]['dialogues'][0]['id']}"


def words(book: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    """Return the words of the first dialogue by language, and whether they are primary."""
    translations = book["pages"][0]["dialogues"][0]["translations"]
    return {it["language_code"]: (it["text"], it["is_primary"]) for it in translations}


def test_a_book_is_made_whole(person: Person) -> None:
    """As it was sent: private, being created, pages and dialogues numbered from 1."""
    book = person.make("books")
    assert read(person, book) == book
    assert (book["title"], book["status"], book["visibility"]) == (
        STORY["title"],
        "creating",
        "private",
    )
    assert [page["sequence"] for page in book["pages"]] == [1, 2]
    assert words(book) == {"en": ("Hello!", True), "ko": ("안녕!", False)}


def test_a_book_is_read_in_one_language(person: Person) -> None:
    """Its words and its recordings; another language that it does not have leaves none."""
    book = person.make("books")
    for language, said in (("en", "Hello!"), ("ko", "안녕!")):
        [dialogue] = read(person, book, f"?language={language}")["pages"][0]["dialogues"]
        assert [it["text"] for it in dialogue["translations"]] == [said]
        assert [it["voice_id"] for it in dialogue["audios"]] == [f"mina-{language}"]
    [dialogue] = read(person, book, "?language=fr")["pages"][0]["dialogues"]
    assert (dialogue["translations"], dialogue["audios"]) == ([], [])


@pytest.mark.parametrize("pages", [1, 40])
def test_the_queries_do_not_grow_with_the_book(service: httpx.Client, pages: int) -> None:
    """Each statement is counted: of making a book, of reading one's own, and everybody's."""
    person = sign_up(service)
    many = [STORY["pages"][0]] * pages
    with counted_queries() as making:
        book = person.make("books", pages=many)
    with counted_queries() as own:
        assert len(read(person, book)["pages"]) == pages
    person.ask("PATCH", f"{BOOKS}/{book['id']}", {"visibility": "public"})
    with counted_queries() as public:
        service.get(f"{BOOKS}/{book['id']}?language=ko")
    with counted_queries() as listing:
        person.ask("GET", f"{BOOKS}?shelf=mine")
    # Who asks, a statement a kind of row, its size, a read, the event; who asks, one's own. Each
    # book is read by one statement, which sees it as it was at one moment. If the event of the
    # change is heard meanwhile, the public book is read again.
    assert (len(making), len(own), len(set(public)), len(listing)) == (9, 2, 1, 2)


@pytest.mark.parametrize("title", ["그네", "\u3000空", "नमस्ते", "👩\u200d🚀", "?"])
def test_a_title_has_something_to_see(person: Person, title: str) -> None:
    """In any script: a space of any kind may be a part of it, and is none alone."""
    assert person.make("books", title=title)["title"] == title


def test_what_was_not_sent_stays(person: Person) -> None:
    """And null takes away what may be missing."""
    book = person.make("books", genre="adventure", theme="courage")
    changed = person.ask("PATCH", f"{BOOKS}/{book['id']}", {"title": "Down", "theme": None}).json()
    assert (changed["title"], changed["genre"], changed["theme"]) == ("Down", "adventure", None)
    assert changed["updated_at"] > book["updated_at"]
    assert person.ask("PATCH", f"{BOOKS}/{book['id']}", {}).status_code == 200
    assert person.ask("PATCH", f"{BOOKS}/{book['id']}", {"title": None}).status_code == 422


@pytest.mark.parametrize("visibility", ["default", "secret", None])
def test_nobody_makes_a_default_book(person: Person, visibility: str | None) -> None:
    """Those are the operator's."""
    assert person.ask("POST", BOOKS, {**STORY, "visibility": visibility}).status_code == 422
    book = person.make("books")
    changed = person.ask("PATCH", f"{BOOKS}/{book['id']}", {"visibility": visibility})
    assert changed.status_code == 422


def test_others_see_what_is_public(service: httpx.Client, person: Person) -> None:
    """From when it is published to when it is taken back."""
    book = person.make("books")
    path = f"{BOOKS}/{book['id']}"
    seen = [service.get(path).status_code]
    for visibility in ("public", "private"):
        person.ask("PATCH", path, {"visibility": visibility})
        seen.append(service.get(path).status_code)
    assert seen == [404, 200, 404]


def test_shelves(service: httpx.Client) -> None:
    """One's own and everybody's in one list, or each alone."""
    mina, juno = sign_up(service), sign_up(service)
    mine = mina.make("books", title="mine")["id"]
    hers = juno.make("books", title="hers", visibility="public")["id"]
    hidden = juno.make("books", title="hidden")["id"]

    def ids(shelf: str) -> set[str]:
        return mina.ids("books", shelf) & {mine, hers, hidden}

    assert ids("") == {mine, hers}
    assert ids("&shelf=mine") == {mine}
    assert ids("&shelf=public") == {hers}
    assert ids("&shelf=default") == set()


@pytest.mark.parametrize("wanted", BookStatus)
@pytest.mark.parametrize("present", BookStatus)
def test_a_status_follows_another(
    person: Person, kept_session: Session, present: BookStatus, wanted: BookStatus
) -> None:
    """Along the table; what is there already may be said again."""
    book = person.make("books")["id"]
    kept_session.execute(update(Book).where(Book.id == book).values(status=present))
    kept_session.commit()
    answer = person.ask("PATCH", f"{BOOKS}/{book}", {"status": wanted})
    if wanted in OF_BOOKS[present] or wanted == present:
        assert (answer.status_code, answer.json()["status"]) == (200, wanted)
    else:
        assert answer.status_code == 409
        assert answer.json()["type"] == "urn:moriai:problem:status-transition"
        assert f"from {present} to {wanted}" in answer.json()["detail"]


def test_pages_come_and_go(person: Person) -> None:
    """A new one is the last; one moves to a free position, and the others stay."""
    book = person.make("books")
    path = f"{BOOKS}/{book['id']}/pages"
    third = person.ask("POST", path, {"image_url": "/3.png"}).json()
    assert third["sequence"] == 3
    taken = person.ask("PATCH", f"{path}/{third['id']}", {"sequence": 1})
    assert (taken.status_code, taken.json()["type"]) == (409, "urn:moriai:problem:conflict")
    first = book["pages"][0]["id"]
    assert person.ask("PATCH", f"{path}/{first}", {"sequence": 9}).json()["sequence"] == 9
    assert person.ask("DELETE", f"{path}/{third['id']}").status_code == 204
    assert [page["sequence"] for page in read(person, book)["pages"]] == [2, 9]


def test_dialogues_come_and_go(person: Person) -> None:
    book = person.make("books")
    page = book["pages"][1]["id"]
    path = f"{BOOKS}/{book['id']}"
    said = {"speaker": "Echo", "translations": [{"language_code": "en", "text": "Hello!"}]}
    one, two = (person.ask("POST", f"{path}/pages/{page}/dialogues", said).json() for _ in range(2))
    assert (one["sequence"], two["sequence"]) == (1, 2)
    taken = person.ask("PATCH", f"{path}/dialogues/{two['id']}", {"sequence": 1})
    assert taken.status_code == 409
    changed = person.ask(
        "PATCH", f"{path}/dialogues/{two['id']}", {"sequence": 3, "speaker": "Mina"}
    )
    assert (changed.json()["sequence"], changed.json()["speaker"]) == (3, "Mina")
    assert person.ask("DELETE", f"{path}/dialogues/{one['id']}").status_code == 204
    assert read(person, book)["pages"][1]["dialogues"] == [changed.json()]


def test_words_are_written_over(person: Person) -> None:
    """Only one language is primary, whichever was said last."""
    book = person.make("books")
    path = f"{dialogue_path(book)}/translations"
    person.ask("PUT", f"{path}/en", {"text": "Hi!"})
    assert words(read(person, book)) == {"en": ("Hi!", True), "ko": ("안녕!", False)}
    person.ask("PUT", f"{path}/fr", {"text": "Salut !", "is_primary": True})
    assert words(read(person, book)) == {
        "en": ("Hi!", False),
        "fr": ("Salut !", True),
        "ko": ("안녕!", False),
    }
    assert person.ask("DELETE", f"{path}/fr").status_code == 204
    assert person.ask("DELETE", f"{path}/fr").status_code == 404
    assert set(words(read(person, book))) == {"en", "ko"}


def test_a_dialogue_with_words_has_primary_ones(person: Person) -> None:
    """Where those are taken away, the oldest of the others are, or else the next."""
    book = person.make("books")
    path = f"{dialogue_path(book)}/translations"
    person.ask("PUT", f"{path}/de", {"text": "Hallo!"})
    person.ask("DELETE", f"{path}/en")
    assert words(read(person, book)) == {"de": ("Hallo!", False), "ko": ("안녕!", True)}
    person.ask("DELETE", f"{path}/de")
    assert words(read(person, book)) == {"ko": ("안녕!", True)}
    person.ask("PUT", f"{path}/ko", {"text": "안녕!", "is_primary": False})
    assert person.ask("PUT", f"{path}/en", {"text": "Hi!"}).json()["is_primary"]
    assert words(read(person, book)) == {"en": ("Hi!", True), "ko": ("안녕!", False)}
    for language in ("en", "ko"):
        assert person.ask("DELETE", f"{path}/{language}").status_code == 204
    assert person.ask("PUT", f"{path}/fr", {"text": "Salut !"}).json()["is_primary"]


def test_recordings_are_written_over(person: Person) -> None:
    """One for each language and voice."""
    book = person.make("books")
    path = f"{dialogue_path(book)}/audios/en"
    person.ask("PUT", f"{path}/mina-en", {"audio_url": "/new.mp3", "duration": 1.5})
    person.ask("PUT", f"{path}/grandpa", {"audio_url": "/deep.mp3"})
    [dialogue] = read(person, book, "?language=en")["pages"][0]["dialogues"]
    assert [(it["voice_id"], it["audio_url"], it["duration"]) for it in dialogue["audios"]] == [
        ("grandpa", "/deep.mp3", None),
        ("mina-en", "/new.mp3", 1.5),
    ]
    assert person.ask("DELETE", f"{path}/grandpa").status_code == 204
    assert person.ask("DELETE", f"{path}/grandpa").status_code == 404


def test_a_part_of_another_book_is_not_there(person: Person) -> None:
    """Also where both books are one's own: the path says which book is locked."""
    one, two = person.make("books"), person.make("books")
    page, dialogue = two["pages"][0]["id"], two["pages"][0]["dialogues"][0]["id"]
    asked = [
        person.ask("PATCH", f"{BOOKS}/{one['id']}/pages/{page}", {}),
        person.ask("DELETE", f"{BOOKS}/{one['id']}/pages/{page}"),
        person.ask("PATCH", f"{BOOKS}/{one['id']}/dialogues/{dialogue}", {}),
        person.ask(
            "PUT", f"{BOOKS}/{one['id']}/dialogues/{dialogue}/translations/en", {"text": ""}
        ),
    ]
    assert [it.status_code for it in asked] == [404] * 4


def test_a_change_inside_makes_the_book_newer(person: Person) -> None:
    """Whoever keeps a copy sees by the book that it is old."""
    book = person.make("books")
    person.ask("PUT", f"{dialogue_path(book)}/translations/en", {"text": "Hi!"})
    assert read(person, book)["updated_at"] > book["updated_at"]


@pytest.mark.parametrize("part", ["the book", "a page"])
def test_a_change_is_never_older_than_the_one_before(
    service: httpx.Client, person: Person, kept_session: Session, part: str
) -> None:
    """Also where it began first, and waited for the other; nor where the clock was put back."""
    book = person.make("books")
    path = f"{BOOKS}/{book['id']}"
    row = select(Book).where(Book.id == UUID(book["id"])).with_for_update()
    kept_session.scalar(row)
    with ThreadPoolExecutor() as pool:
        if part == "the book":
            late = pool.submit(person.ask, "PATCH", path, {"title": "Down"})
        else:
            late = pool.submit(person.ask, "POST", f"{path}/pages", {})
        await_waiting(kept_session)
        before = kept_session.scalar(
            update(Book)
            .where(Book.id == UUID(book["id"]))
            .values(updated_at=func.clock_timestamp() + timedelta(hours=1))
            .returning(Book.updated_at)
        )
        kept_session.commit()
        assert late.result().status_code < 300
    changed = datetime.fromisoformat(read(person, book)["updated_at"])
    assert before is not None
    assert changed > before


@pytest.mark.slow
def test_many_writers_of_one_book_take_turns(person: Person) -> None:
    """Each page gets a position of its own, and none is lost."""
    book = person.make("books", pages=[])
    path = f"{BOOKS}/{book['id']}/pages"
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: person.ask("POST", path, {}).status_code, range(24)))
    assert statuses == [201] * 24
    assert [page["sequence"] for page in read(person, book)["pages"]] == list(range(1, 25))


@pytest.mark.slow
def test_what_was_there_appears_once_while_others_write(service: httpx.Client) -> None:
    """Nothing appears twice; what is written meanwhile may be missed, but not by who comes next."""
    person = sign_up(service)
    there = {person.make("books", pages=[])["id"] for _ in range(30)}

    def turned() -> list[str]:
        seen: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            found = person.ask("GET", f"{BOOKS}?shelf=mine&limit=3{cursor}").json()
            seen += [it["id"] for it in found["items"]]
            cursor = found["next_cursor"] and f"&cursor={found['next_cursor']}"
        return seen

    with ThreadPoolExecutor(6) as pool:
        writing = [pool.submit(person.make, "books", pages=[]) for _ in range(150)]
        while not all(it.done() for it in writing):
            seen = turned()
            assert len(seen) == len(set(seen))
            assert there <= set(seen)
    assert set(turned()) == there | {it.result()["id"] for it in writing}


GROWTH = [
    ("POST", "/pages", {"image_prompt": "long" * 50}),
    ("POST", "/pages/{page}/dialogues", {"speaker": "long" * 50}),
    ("PUT", "/dialogues/{dialogue}/translations/fr", {"text": "long" * 50}),
    ("PUT", "/dialogues/{dialogue}/audios/fr/v", {"audio_url": "/" + "long" * 50}),
]


@pytest.mark.parametrize("limit", ["MOST_PARTS", "MOST_TEXT"])
@pytest.mark.parametrize(("method", "path", "body"), GROWTH)
def test_a_book_has_room_for_so_much(
    person: Person,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    method: str,
    path: str,
    body: dict[str, Any],
) -> None:
    """Whatever is added to it; less may be put in its place, or something else taken away."""
    book = person.make("books")
    page, dialogue = book["pages"][0]["id"], book["pages"][0]["dialogues"][0]["id"]
    there = f"{BOOKS}/{book['id']}"
    # A story is seven parts, and some bytes of text.
    monkeypatch.setattr(
        f"backend.services.book_size_limit.{limit}", 7 if limit == "MOST_PARTS" else 150
    )
    answer = person.ask(method, there + path.format(page=page, dialogue=dialogue), body)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:moriai:problem:conflict")
    assert "has room for" in answer.json()["detail"]
    assert read(person, book) == book
    written = f"{there}/dialogues/{dialogue}/translations/ko"
    assert person.ask("PUT", written, {"text": "!"}).status_code == 200
    assert person.ask("DELETE", written).status_code == 204
    other = {"pages": [{"dialogues": [{"speaker": "long" * 50}] * 4}] * 2}
    assert person.ask("POST", BOOKS, {**STORY, **other}).status_code == 409


FILL = """
WITH page AS (
    INSERT INTO pages (book_id, sequence)
    SELECT :book, n FROM generate_series(1, 100) n RETURNING id
), dialogue AS (
    INSERT INTO dialogues (page_id, sequence, speaker)
    SELECT id, n, 'Mina' FROM page, generate_series(1, 33) n RETURNING id
)
INSERT INTO dialogue_translations (dialogue_id, language_code, text)
SELECT id, language, 'Hello!' FROM dialogue, unnest(ARRAY['en', 'ko']) language
"""
"""Ten thousand parts."""


@pytest.mark.slow
def test_the_largest_book_is_read_by_one_query(
    service: httpx.Client, kept_session: Session
) -> None:
    """As large as the document says that it may be."""
    person = sign_up(service)
    book = person.make("books", visibility="public", pages=[])["id"]
    kept_session.execute(text(FILL), {"book": book})
    kept_session.commit()
    full = person.ask("POST", f"{BOOKS}/{book}/pages", {})
    assert (full.status_code, f"room for {MOST_PARTS:,}" in full.json()["detail"]) == (409, True)
    with counted_queries() as queries:
        pages = service.get(f"{BOOKS}/{book}", timeout=60).json()["pages"]
    dialogues = [it for page in pages for it in page["dialogues"]]
    assert len(pages) + len(dialogues) + 2 * len(dialogues) == MOST_PARTS
    assert len(queries) == 1
    described = create_app().openapi()["components"]["schemas"]["NewBook"]["description"]
    assert f"{MOST_PARTS:,} parts" in described
    assert f"{MOST_TEXT >> 20} MiB of text" in described


@pytest.mark.parametrize(
    "address",
    ["/", "/1.png", "/a//b", "http://example.org", "https://example.org:80//x", "http://[::1]/x"],
)
def test_an_address_is_kept_as_it_was_sent(person: Person, address: str) -> None:
    assert person.make("books", cover_image=address)["cover_image"] == address


def test_nothing_is_left_of_a_deleted_book(person: Person) -> None:
    book = person.make("books")
    assert person.ask("DELETE", f"{BOOKS}/{book['id']}").status_code == 204
    assert person.ask("GET", f"{BOOKS}/{book['id']}").status_code == 404
    assert person.ask("DELETE", f"{BOOKS}/{book['id']}").status_code == 404


@pytest.mark.parametrize(
    ("dialogue", "sentence"),
    [
        ({"translations": [{"language_code": "en", "text": ""}] * 2}, "has one translation"),
        (
            {
                "translations": [
                    {"language_code": it, "text": "", "is_primary": True} for it in ("en", "ko")
                ]
            },
            "translation is primary",
        ),
        (
            {"audios": [{"language_code": "en", "voice_id": "v", "audio_url": "/a"}] * 2},
            "has one recording in a language",
        ),
    ],
)
def test_what_comes_twice_is_refused(
    person: Person, dialogue: dict[str, Any], sentence: str
) -> None:
    pages = [{"dialogues": [{"speaker": "Mina", **dialogue}]}]
    answer = person.ask("POST", BOOKS, {**STORY, "pages": pages})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:moriai:problem:conflict")
    assert sentence in answer.json()["detail"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": " "},
        {"title": "\u3000\u00a0\u200b\u202e\ufe0f"},
        {"title": "\u3164\u2800"},
        {"title": "NUL \0"},
        {"title": "half a pair \ud800"},
        {"cover_image": "javascript:alert(1)"},
        {"cover_image": "//example.org/x"},
        {"cover_image": "/\\example.org/x"},
        {"cover_image": "http://"},
        {"cover_image": "https:///x"},
        {"cover_image": "http://:80/x"},
        {"cover_image": "https://\\"},
        {"pages": [{}] * 101},
        {"is_default": True},
        {"user_id": "00000000-0000-0000-0000-000000000000"},
    ],
)
def test_what_cannot_be_kept_is_refused(person: Person, wrong: dict[str, Any]) -> None:
    """With a problem that names the part, and does not repeat it."""
    answer = person.ask("POST", BOOKS, {**STORY, **wrong})
    assert answer.status_code == 422
    [complaint] = answer.json()["errors"]
    assert complaint["loc"] == ["body", *wrong]
    assert complaint.keys() == {"loc", "msg", "type"}
