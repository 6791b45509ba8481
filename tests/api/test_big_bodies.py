"""Big bodies: few at once, and refused before anything is made of them."""

import asyncio
import gc
import json
import tracemalloc
import weakref
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request
from sqlalchemy import text
from sqlalchemy.orm import Session

from backend.api.big_bodies import BIG, SMALL, NoRoomError, Place, Room, weight
from backend.api.bodies import Body, BodyRefusedError
from backend.api.routes import Forgetting
from tests.api.paths import BOOKS
from tests.api.people import STORY, Person, sign_up
from tests.api.queries import counted_queries


@pytest.fixture(scope="module")
def person(service: httpx.Client) -> Person:
    return sign_up(service)


def test_few_big_bodies_are_worked_on_at_once() -> None:
    """Small ones always are."""
    room = Room(at_once=2)
    places = [Place(room) for _ in range(4)]
    for place in places[:3]:
        place.grow(bytes(BIG + 1))
    big, small = bytes(BIG + 1), bytes(BIG)
    places[0].work(big)
    places[1].work(big)
    with pytest.raises(NoRoomError):
        places[2].work(big)
    places[3].grow(small)
    places[3].work(small)
    places[0].leave()
    places[0].leave()
    places[2].work(big)


def test_few_bytes_are_held_of_all_bodies() -> None:
    """Each counts from its first byte; small ones have a part of the room for themselves."""
    room = Room(most=2 * SMALL, for_small=SMALL)
    one, two, small = Place(room), Place(room), Place(room)
    one.grow(bytes(SMALL))
    one.grow(bytes(SMALL))
    small.grow(bytes(1))
    two.grow(bytes(SMALL - 1))
    with pytest.raises(NoRoomError):
        small.grow(bytes(1))
    one.leave()
    two.grow(bytes(SMALL))
    with pytest.raises(NoRoomError):
        two.grow(bytes(SMALL))
    for place in (one, two, small):
        place.leave()
    assert (room.coming.taken, room.parsed.taken, room.working) == (0, 0, 0)


def test_who_sends_slowly_keeps_no_room_for_parsing() -> None:
    """A body of commas would weigh a hundred times its bytes: it counts when it is parsed."""
    room = Room(most=BIG, for_small=SMALL)
    slow, other, small, none = (Place(room) for _ in range(4))
    slow.grow(b"," * (BIG // 2))
    other.grow(b"," * 10)
    other.work(b"," * 10)
    other.leave()
    slow.work(b"," * (BIG // 2))
    with pytest.raises(NoRoomError):
        Place(room).grow(bytes(BIG))
    small.grow(b"[1]")
    small.work(b"[1]")
    none.grow(b"")
    none.work(b"")


def test_a_single_body_always_has_room() -> None:
    room = Room(most=1, for_small=0)
    one, two = Place(room), Place(room)
    one.grow(bytes(BIG))
    one.grow(bytes(BIG))
    one.work(bytes(2 * BIG))
    with pytest.raises(NoRoomError):
        two.grow(bytes(1))


@pytest.mark.parametrize(
    ("part", "most"),
    [
        (b"[],", 22_000),
        (b"{},", 22_000),
        (b"1.5,", 16_000),
        (b'"ab",', 13_000),
        (b"[1,2.5],", 8_000),
    ],
)
def test_a_body_weighs_what_is_parsed_of_it(part: bytes, most: int) -> None:
    """At least: each list, object and number takes many times the bytes that were sent."""
    body = b"[" + part * most + b"0]"
    tracemalloc.start()
    parsed = json.loads(body)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(parsed) == most + 1
    assert size < weight(body)


async def _read(*parts: bytes, is_over: bool = True, place: Place | None = None) -> bytes:
    """Return what is read of a body that comes in these parts."""
    messages = [{"type": "http.request", "body": it, "more_body": True} for it in parts]
    if is_over:
        messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> Any:
        if messages:
            return messages.pop(0)
        return await asyncio.Event().wait()

    return await Body(receive, 0, BIG, longest=0.05).read(place)


def test_a_body_in_parts_is_one() -> None:
    """And is not kept if nothing reads it."""
    room = Room()
    place = Place(room)
    assert asyncio.run(_read(b"[1", b"", b"]", place=place)) == b"[1]"
    assert (room.coming.taken, room.parsed.taken) == (3, weight(b"[1]"))
    assert asyncio.run(_read(b"[1", b"]")) == b""


def test_a_body_has_its_time() -> None:
    """However often a byte comes; the time for the next byte is the connection's."""
    with pytest.raises(BodyRefusedError) as refused:
        asyncio.run(_read(b"[", b"1", is_over=False, place=Place(Room())))
    assert refused.value.status == 408


def test_a_slow_reader_of_an_answer_keeps_no_body() -> None:
    """When the answer begins, the request that has the body is gone."""
    router = APIRouter(route_class=Forgetting)
    requests: list[weakref.ref[Request]] = []
    found: list[object] = []

    @router.post("/")
    async def take(request: Request, _sent: dict[str, Any]) -> None:
        requests.append(weakref.ref(request))

    app = FastAPI()
    app.include_router(router)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"{}"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            gc.collect()
            found.extend([message["status"], requests[0]()])

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    asyncio.run(app(scope, receive, send))
    assert found == [200, None]


def test_a_crowd_of_big_bodies_is_refused(
    service: httpx.Client, person: Person, kept_session: Session
) -> None:
    """The first four wait for the database, and so do small ones."""
    pages = [{"image_prompt": "long" * 2_000}] * 10
    big, small = {**STORY, "pages": pages}, STORY
    kept_session.execute(text("LOCK TABLE users"))
    with ThreadPoolExecutor(12) as pool:
        first = [pool.submit(person.ask, "POST", BOOKS, big) for _ in range(8)]
        refused = [it.result() for it in islice(as_completed(first, timeout=30), 4)]
        few = [pool.submit(person.ask, "POST", BOOKS, small) for _ in range(2)]
        kept_session.rollback()
        statuses = Counter(it.result().status_code for it in first)
        assert [it.result().status_code for it in few] == [201, 201]
    assert statuses == {201: 4, 503: 4}
    for answer in refused:
        assert answer.headers["retry-after"] == "1"
        assert answer.json()["type"] == "urn:moriai:problem:unavailable"
    # Whoever comes later has room again.
    assert person.ask("POST", BOOKS, big).status_code == 201


def too_many_parts() -> dict[str, Any]:
    dialogue = {"speaker": "a", "translations": [{"language_code": "en", "text": ""}] * 20}
    return {"title": "Up", "pages": [{"dialogues": [dialogue] * 20}] * 30}


def test_too_many_parts_are_refused_unwritten(person: Person) -> None:
    """The account is looked up, and nothing else asked of the database."""
    with counted_queries() as queries:
        answer = person.ask("POST", BOOKS, too_many_parts())
    assert (answer.status_code, len(queries)) == (409, 1)
    assert "would have 12,630 parts, and has room for 10,000" in answer.json()["detail"]


@pytest.mark.parametrize("what", [[], {}])
def test_many_brackets_are_refused_unread(person: Person, what: object) -> None:
    """Before a list or an object is made of each."""
    body = json.dumps({"pages": [what] * 50_000}).encode()
    headers = {**person.headers, "Content-Type": "application/json"}
    answer = person.client.post(BOOKS, content=body, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:moriai:problem:too-large")
    assert "larger than 40000 brackets" in answer.json()["detail"]
