"""Big bodies: few at once, and refused before anything is made of them."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from backend.api.big_bodies import BIG, NoRoomError, Place, Room
from tests.api.people import STORY, Person, sign_up
from tests.api.test_books import BOOKS, counted_queries


@pytest.fixture(scope="module")
def person(service: httpx.Client) -> Person:
    return sign_up(service)


def test_few_big_bodies_are_worked_on_at_once() -> None:
    """Small ones always are."""
    room = Room(at_once=2)
    places = [Place(room) for _ in range(4)]
    for place in places[:3]:
        place.grow(BIG + 1)
    places[0].work()
    places[1].work()
    with pytest.raises(NoRoomError):
        places[2].work()
    places[3].grow(BIG)
    places[3].work()
    places[0].leave()
    places[0].leave()
    places[2].work()


def test_few_bytes_are_held_of_big_bodies() -> None:
    """Each counts from its first byte, once it is big."""
    room = Room(most_held=3 * BIG)
    one, two, small = Place(room), Place(room), Place(room)
    one.grow(BIG)
    one.grow(BIG)
    two.grow(BIG)
    with pytest.raises(NoRoomError):
        two.grow(1)
    small.grow(BIG)
    one.leave()
    two.grow(1)
    for place in (one, two, small):
        place.leave()
    assert (room.held, room.working) == (0, 0)


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
