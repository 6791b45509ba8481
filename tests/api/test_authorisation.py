"""Who gets what from every route, as one table.

Each line is a route asked by nobody, by the owner, by somebody else, and by an owner who is no
longer active: of what is private, public and there by default.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text, update
from sqlalchemy.orm import Session

from backend.main import create_app
from backend.models import Book, User, Visibility, Voice
from tests.api.document import operations
from tests.api.lock_waits import await_waiting
from tests.api.paths import BOOK, DIALOGUE, ENDING, PAGE, RECORDING, TRANSLATION, VOICE
from tests.api.people import PASSWORD, Person, new_name, sign_up

ASKERS = ("anonymous", "owner", "other", "inactive")

BODIES: dict[str, Callable[[], dict[str, Any]]] = {
    "POST /api/v1/auth/register": lambda: {
        "email": f"{new_name()}@example.org",
        "password": PASSWORD,
    },
    "POST /api/v1/auth/password": lambda: {
        "password": PASSWORD,
        "new_password": "another-password-of-tests",
    },
    "POST /api/v1/auth/me/delete": lambda: {"password": PASSWORD},
    "POST /api/v1/books": lambda: {"title": "Another"},
    f"PATCH {BOOK}": lambda: {"theme": "courage"},
    f"POST {BOOK}/pages": lambda: {"image_url": "/3.png"},
    f"PATCH {PAGE}": lambda: {"image_prompt": "A kite"},
    f"POST {PAGE}/dialogues": lambda: {"speaker": "Echo"},
    f"PATCH {DIALOGUE}": lambda: {"speaker": "Echo"},
    f"PUT {TRANSLATION}": lambda: {"text": "Hi!"},
    f"PUT {RECORDING}": lambda: {"audio_url": "/2.mp3"},
    "POST /api/v1/voices": lambda: {"name": "Echo", "provider_voice_id": new_name()},
    f"PATCH {VOICE}": lambda: {"category": "calm"},
}

OPEN = (200, 200, 200, 200)
READING = (200, 200, 200, 401)
HIDDEN = (404, 200, 404, 401)
SIGNED_IN = (401, 200, 200, 401)
MAKING = (401, 201, 201, 401)
READ_ONLY = (401, 403, 403, 401)


def own(status: int, others: int) -> tuple[int, int, int, int]:
    """Return the statuses of what its owner alone may do.

    What others cannot read is not there for them; of what they can, they may be told.
    """
    return (401, status, others, 401)


# Route → for the visibility of what it is about → status for each of ASKERS.
MATRIX: dict[str, dict[str, tuple[int, int, int, int]]] = {
    "GET /health/live": {"": OPEN},
    "GET /health/ready": {"": OPEN},
    "POST /api/v1/auth/register": {"": (202, 202, 202, 202)},
    # Of the one who asks, by address and password: somebody inactive, and nobody, are refused.
    "POST /api/v1/auth/login": {"": (401, 200, 200, 401)},
    "GET /api/v1/auth/me": {"": SIGNED_IN},
    "GET /api/v1/auth/me/export": {"": SIGNED_IN},
    "POST /api/v1/auth/password": {"": SIGNED_IN},
    "POST /api/v1/auth/logout-everywhere": {"": (401, 204, 204, 401)},
    "POST /api/v1/auth/me/delete": {"": (401, 204, 204, 401)},
    "GET /api/v1/books": {"": READING},
    "GET /api/v1/books?shelf=mine": {"": SIGNED_IN},
    "POST /api/v1/books": {"": MAKING},
    f"GET {BOOK}": {"private": HIDDEN, "public": READING, "default": READING},
    "GET /api/v1/voices": {"": READING},
    "GET /api/v1/voices?shelf=mine": {"": SIGNED_IN},
    "POST /api/v1/voices": {"": MAKING},
    f"GET {VOICE}": {"private": HIDDEN, "public": READING, "default": READING},
    **{
        route: {"private": own(status, 404), "public": own(status, 403), "default": READ_ONLY}
        for route, status in {
            f"PATCH {BOOK}": 200,
            f"DELETE {BOOK}": 204,
            f"POST {BOOK}/pages": 201,
            f"PATCH {PAGE}": 200,
            f"DELETE {PAGE}": 204,
            f"POST {PAGE}/dialogues": 201,
            f"PATCH {DIALOGUE}": 200,
            f"DELETE {DIALOGUE}": 204,
            f"PUT {TRANSLATION}": 200,
            f"DELETE {TRANSLATION}": 204,
            f"PUT {RECORDING}": 200,
            f"DELETE {RECORDING}": 204,
            f"PATCH {VOICE}": 200,
            f"DELETE {VOICE}": 204,
        }.items()
    },
}

LINES = [
    (route, visibility, asker, status)
    for route, lines in MATRIX.items()
    for visibility, statuses in lines.items()
    for asker, status in zip(ASKERS, statuses, strict=True)
]


@dataclass(frozen=True)
class Cast:
    """The people of the table; the one who is not active owns nothing that others ask for."""

    service: httpx.Client
    owner: Person
    other: Person
    inactive: Person


@pytest.fixture(scope="module")
def cast(service: httpx.Client) -> Iterator[Cast]:
    yield Cast(service, sign_up(service), sign_up(service), sign_up(service))


def test_the_table_has_every_route() -> None:
    """One that is added later has to say who may use it."""
    named = {route.split("?")[0] for route in MATRIX}
    assert named == {name for name, _ in operations(create_app().openapi())}


@pytest.mark.parametrize(("route", "visibility", "asker", "status"), LINES)
def test_the_table(
    cast: Cast, kept_session: Session, route: str, visibility: str, asker: str, status: int
) -> None:
    """Each line is tried on rows of its own; a refusal is a problem, and changes nothing."""
    method, template = route.split(" ", 1)
    maker = cast.inactive if asker == "inactive" else cast.owner
    if asker == "inactive":
        _set_active(kept_session, cast.inactive, is_active=True)
    path = template.format(**_things(kept_session, maker, template, visibility))
    if asker == "inactive":
        _set_active(kept_session, cast.inactive, is_active=False)
    body = BODIES[route]() if route in BODIES else None
    if route == "POST /api/v1/auth/login":
        person = {"owner": cast.owner, "other": cast.other, "inactive": cast.inactive}.get(asker)
        body = {"email": person.email if person else "no@example.org", "password": PASSWORD}

    if asker == "anonymous" or "/auth/register" in route or "/health/" in route:
        answer = cast.service.request(method, path, json=body)
    else:
        people = {"owner": cast.owner, "other": cast.other, "inactive": cast.inactive}
        if route in ENDING and asker != "inactive":
            people[asker] = sign_up(cast.service)
        answer = people[asker].ask(method, path, body)

    assert answer.status_code == status, answer.text
    if status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status
    assert ("www-authenticate" in answer.headers) == (status == 401)


def _things(session: Session, maker: Person, template: str, visibility: str) -> dict[str, str]:
    """Make what the path names, and return its parts."""
    if "{voice_id}" in template and "{book_id}" not in template:
        voice = maker.make("voices")["id"]
        session.execute(update(Voice).where(Voice.id == voice).values(visibility=visibility))
        session.commit()
        return {"voice_id": voice}
    if "{book_id}" not in template:
        return {}
    book = maker.make("books")
    is_default = visibility == Visibility.DEFAULT
    session.execute(
        update(Book)
        .where(Book.id == book["id"])
        .values(visibility=visibility, is_default=is_default)
    )
    session.commit()
    return {
        "book_id": book["id"],
        "page_id": book["pages"][0]["id"],
        "dialogue_id": book["pages"][0]["dialogues"][0]["id"],
        "language_code": "en",
        "voice_id": "mina-en",
    }


def _set_active(session: Session, person: Person, *, is_active: bool) -> None:
    session.execute(update(User).where(User.id == person.id).values(is_active=is_active))
    session.commit()


@pytest.mark.parametrize(("what", "table"), [("books", Book), ("voices", Voice)])
def test_an_owner_always_sees_what_is_made_private(
    service: httpx.Client,
    kept_session: Session,
    _writing_app: FastAPI,
    what: str,
    table: type[Book | Voice],
) -> None:
    """Also if the answer for everybody is kept when the request comes, and gone a moment later."""
    owner = sign_up(service)
    path = f"/api/v1/{what}/{owner.make(what, visibility='public')['id']}"
    assert service.get(path).status_code == 200
    # The request stands at the look whether its account is active.
    kept_session.execute(text("LOCK TABLE users"))
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(owner.ask, "GET", path)
        await_waiting(kept_session)
        kept_session.execute(
            update(table).where(table.user_id == UUID(owner.id)).values(visibility="private")
        )
        _writing_app.state.resources.answers.clear()
        kept_session.commit()
    assert asked.result().status_code == 200
    assert service.get(path).status_code == 404
