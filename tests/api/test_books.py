from datetime import datetime, timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy.orm import Session

from backend.models import (
    Book,
    Dialogue,
    DialogueAudio,
    DialogueTranslation,
    Page,
    Visibility,
)
from backend.seeds.stories import STORIES
from tests.api.lists import titles, walk
from tests.api.paths import BOOKS
from tests.api.people import without_instance
from tests.api.queries import counted_queries
from tests.api.rows import MORNING, add_book, add_owner


def test_the_seeded_books_are_listed(seeded_client: httpx.Client) -> None:
    """What the seed put there can be seen."""
    body = seeded_client.get(BOOKS).json()
    assert {story.title for story in STORIES} == {book["title"] for book in body["items"]}
    assert body["next_cursor"] is None


def test_a_listed_book_has_what_a_shelf_shows(session: Session, client: httpx.Client) -> None:
    """Every column but the owner's, and none of the pages."""
    book = add_book(session, add_owner(session), "Up and Away")
    book.cover_image, book.cover_video_url = "/cover.png", "/cover.mp4"
    book.genre, book.target_age, book.theme = "adventure", "3-5", "courage"
    session.commit()

    [listed] = client.get(BOOKS).json()["items"]

    assert datetime.fromisoformat(listed.pop("created_at")) == MORNING
    assert book.updated_at == datetime.fromisoformat(listed.pop("updated_at"))
    assert listed == {
        "id": str(book.id),
        "title": "Up and Away",
        "cover_image": "/cover.png",
        "cover_video_url": "/cover.mp4",
        "genre": "adventure",
        "target_age": "3-5",
        "theme": "courage",
        "status": "creating",
        "visibility": "public",
    }


def test_no_books_is_an_empty_list(client: httpx.Client) -> None:
    """A database without rows is in order."""
    assert client.get(BOOKS).json() == {"items": [], "next_cursor": None}


@pytest.mark.parametrize("order", [None, "newest", "oldest"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_turning_the_pages_shows_every_book_once(
    session: Session, client: httpx.Client, limit: int, order: str | None
) -> None:
    """Without a gap or a repeat, also if books were made in the same moment; newest first."""
    owner = add_owner(session)
    moments = (
        [MORNING] * 4 + [MORNING + timedelta(microseconds=1)] * 2 + [MORNING.replace(year=1999)]
    )
    books = [add_book(session, owner, f"Book {n}", created_at=at) for n, at in enumerate(moments)]
    session.commit()

    pages = list(walk(client, limit, **({} if order is None else {"order": order})))

    in_order = sorted(books, key=lambda book: (book.created_at, book.id), reverse=order != "oldest")
    assert [book.title for book in in_order] == titles(iter(pages))
    assert all(len(page) == limit for page in pages[:-1])
    assert pages[-1]


def test_a_book_that_comes_meanwhile_moves_no_other(session: Session, client: httpx.Client) -> None:
    """A new one, before the place of a reader, does not push what is after it."""
    owner = add_owner(session)
    for hour in range(3):
        add_book(session, owner, f"Book {hour}", created_at=MORNING + timedelta(hours=hour))
    session.commit()
    pages = walk(client, limit=1)

    first = next(pages)
    add_book(session, owner, "Too late", created_at=MORNING + timedelta(hours=9))
    session.commit()

    assert titles(iter([first, *pages])) == ["Book 2", "Book 1", "Book 0"]
    assert titles(walk(client, limit=1)) == ["Too late", "Book 2", "Book 1", "Book 0"]


def test_the_list_is_one_query(session: Session, client: httpx.Client) -> None:
    """However many books it shows."""
    owner = add_owner(session)
    for number in range(30):
        add_book(session, owner, f"Book {number}")
    session.commit()
    with counted_queries() as queries:
        answer = client.get(BOOKS, params={"limit": 30})
    assert len(answer.json()["items"]) == 30
    assert len(queries) == 1


@pytest.mark.parametrize("limit", ["0", "101", "-1", "many", ""])
def test_a_limit_out_of_range_is_refused(seeded_client: httpx.Client, limit: str) -> None:
    answer = seeded_client.get(BOOKS, params={"limit": limit})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["query", "limit"]


@pytest.mark.parametrize("cursor", ["", "nonsense", "+" * 32, "f" * 33, "\0", "é", "A" * 10_000])
def test_a_malformed_cursor_is_refused(seeded_client: httpx.Client, cursor: str) -> None:
    """By a sentence that says what to do, in the form that every bad parameter is answered."""
    answer = seeded_client.get(BOOKS, params={"cursor": cursor})
    assert answer.status_code == 422
    [complaint] = answer.json()["errors"]
    assert complaint["loc"] == ["query", "cursor"]
    assert "not a cursor of this list: take the next_cursor of an answer" in complaint["msg"]


def test_private_books_are_not_listed(session: Session, client: httpx.Client) -> None:
    owner = add_owner(session)
    for visibility in Visibility:
        add_book(session, owner, visibility.value, visibility)
    session.commit()
    assert {"public", "default"} == set(titles(walk(client, limit=1)))


def test_a_seeded_book_is_read_word_for_word(seeded_client: httpx.Client) -> None:
    """Pages, lines and recordings, in the order of the story."""
    listed = seeded_client.get(BOOKS).json()["items"]
    ids = {book["title"]: book["id"] for book in listed}
    for story in STORIES:
        book = seeded_client.get(f"{BOOKS}/{ids[story.title]}").json()
        assert [page.picture for page in story.pages] == [
            page["image_prompt"] for page in book["pages"]
        ]
        assert [[line.text for line in page.lines] for page in story.pages] == [
            [dialogue["translations"][0]["text"] for dialogue in page["dialogues"]]
            for page in book["pages"]
        ]
        assert [[line.duration for line in page.lines] for page in story.pages] == [
            [dialogue["audios"][0]["duration"] for dialogue in page["dialogues"]]
            for page in book["pages"]
        ]


def test_a_book_is_read_whole_and_in_order(session: Session, client: httpx.Client) -> None:
    """Whatever order its rows were inserted in."""
    book = add_book(session, add_owner(session), "Backwards")
    last, first = (
        Page(book_id=book.id, sequence=sequence, image_url=f"/{sequence}.png")
        for sequence in (2, 1)
    )
    session.add_all([last, first])
    session.flush()
    reply, call = (
        Dialogue(page_id=first.id, sequence=sequence, speaker=speaker)
        for sequence, speaker in ((2, "Echo"), (1, "Mina"))
    )
    session.add_all([reply, call])
    session.flush()
    for language, text in (("ko", "야호!"), ("en", "Hello!")):
        session.add(
            DialogueTranslation(
                dialogue_id=call.id, language_code=language, text=text, is_primary=language == "en"
            )
        )
        for voice in ("low", "high"):
            session.add(
                DialogueAudio(
                    dialogue_id=call.id,
                    language_code=language,
                    voice_id=voice,
                    audio_url=f"/{language}-{voice}.mp3",
                )
            )
    session.commit()

    detail = client.get(f"{BOOKS}/{book.id}").json()

    [listed] = client.get(BOOKS).json()["items"]
    pages = detail.pop("pages")
    assert listed == detail
    assert pages == [
        {
            "id": str(first.id),
            "sequence": 1,
            "image_url": "/1.png",
            "image_prompt": None,
            "video_url": None,
            "dialogues": [
                {
                    "id": str(call.id),
                    "sequence": 1,
                    "speaker": "Mina",
                    "translations": [
                        {"language_code": "en", "text": "Hello!", "is_primary": True},
                        {"language_code": "ko", "text": "야호!", "is_primary": False},
                    ],
                    "audios": [
                        {
                            "language_code": language,
                            "voice_id": voice,
                            "audio_url": f"/{language}-{voice}.mp3",
                            "duration": None,
                        }
                        for language in ("en", "ko")
                        for voice in ("high", "low")
                    ],
                },
                {
                    "id": str(reply.id),
                    "sequence": 2,
                    "speaker": "Echo",
                    "translations": [],
                    "audios": [],
                },
            ],
        },
        {
            "id": str(last.id),
            "sequence": 2,
            "image_url": "/2.png",
            "image_prompt": None,
            "video_url": None,
            "dialogues": [],
        },
    ]


@pytest.mark.parametrize(("pages", "lines"), [(1, 1), (10, 60)])
def test_a_book_takes_one_query_whatever_its_size(
    session: Session, client: httpx.Client, pages: int, lines: int
) -> None:
    book = add_book(session, add_owner(session))
    _fill(session, book, pages, lines)
    path = f"{BOOKS}/{book.id}"
    with counted_queries() as queries:
        detail = client.get(path).json()
    dialogues = [dialogue for page in detail["pages"] for dialogue in page["dialogues"]]
    assert pages * lines == len(dialogues)
    assert all(len(dialogue["translations"]) == 1 for dialogue in dialogues)
    assert len(queries) == 1


def _fill(session: Session, book: Book, pages: int, lines: int) -> None:
    for number in range(pages):
        page = Page(book_id=book.id, sequence=number)
        page.dialogues = [
            Dialogue(
                sequence=line,
                speaker="Narrator",
                translations=[DialogueTranslation(language_code="en", text=f"{number}.{line}")],
            )
            for line in range(lines)
        ]
        session.add(page)
    session.commit()


def test_an_unknown_book_is_not_found(seeded_client: httpx.Client) -> None:
    answer = seeded_client.get(f"{BOOKS}/{uuid4()}")
    assert answer.status_code == 404
    assert answer.json()["detail"] == "There is no such book."


def test_a_private_book_is_as_unknown_as_none(session: Session, client: httpx.Client) -> None:
    """The answer doesn't tell whether it exists."""
    book = add_book(session, add_owner(session), visibility=Visibility.PRIVATE)
    session.commit()
    hidden, unknown = client.get(f"{BOOKS}/{book.id}"), client.get(f"{BOOKS}/{uuid4()}")
    assert hidden.status_code == 404
    assert unknown.status_code == hidden.status_code
    assert without_instance(unknown) == without_instance(hidden)


def test_an_id_that_is_none_is_refused(seeded_client: httpx.Client) -> None:
    answer = seeded_client.get(f"{BOOKS}/not-a-uuid")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["path", "book_id"]


def test_an_id_is_read_however_it_is_written(session: Session, client: httpx.Client) -> None:
    book = add_book(session, add_owner(session))
    session.commit()
    assert UUID(client.get(f"{BOOKS}/{book.id.hex.upper()}").json()["id"]) == book.id
