"""What ends tokens, passwords and accounts, and what an account takes with it."""

import json
from typing import Any

import httpx
import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from backend.models import Audio, Book, User, Voice
from tests.api.paths import AUTH
from tests.api.people import PASSWORD, Person, log_in, sign_up
from tests.api.replica import Replica

NEW = "another-password-of-tests"


def change_password(person: Person, password: str = PASSWORD, new: str = NEW) -> httpx.Response:
    body = {"password": password, "new_password": new}
    return person.ask("POST", f"{AUTH}/password", body)


def leave(person: Person, password: str = PASSWORD) -> httpx.Response:
    return person.ask("POST", f"{AUTH}/me/delete", {"password": password})


def me(person: Person) -> int:
    return person.ask("GET", f"{AUTH}/me").status_code


def test_a_changed_password_ends_all_other_tokens(service: httpx.Client) -> None:
    """The answer has a new one; the former password signs nobody in."""
    person = sign_up(service)
    answer = change_password(person)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    renewed = Person(person.id, person.email, answer.json()["access_token"], service)
    assert (me(person), me(renewed)) == (401, 200)
    assert log_in(service, person.email).status_code == 401
    assert log_in(service, person.email, NEW).status_code == 200


def test_a_password_is_changed_by_its_owner_alone(service: httpx.Client) -> None:
    """Who has only the token is refused, and nothing has changed."""
    person = sign_up(service)
    refused = change_password(person, "not-the-password")
    assert refused.status_code == 403
    assert refused.json()["type"] == "urn:moriai:problem:wrong-password"
    common = change_password(person, new="1234567890")
    assert common.status_code == 422
    assert common.json()["errors"][0]["loc"] == ["body", "new_password"]
    assert me(person) == 200
    assert log_in(service, person.email).status_code == 200


def test_tokens_end_in_all_replicas(replicas: tuple[Replica, Replica]) -> None:
    """Also one of the same second; no event is needed for that."""
    here, there = replicas
    person = sign_up(here.client)
    other = log_in(there.client, person.email).json()["access_token"]
    assert person.ask("POST", f"{AUTH}/logout-everywhere").status_code == 204
    for token in (person.token, other):
        for replica in replicas:
            assert me(Person(person.id, person.email, token, replica.client)) == 401
            headers = {"Authorization": f"Bearer {token}"}
            assert replica.client.get("/api/v1/books", headers=headers).status_code == 401
    again = log_in(there.client, person.email).json()["access_token"]
    assert me(Person(person.id, person.email, again, here.client)) == 200


def test_an_account_goes_with_all_that_is_its_own(
    service: httpx.Client, kept_session: Session
) -> None:
    """And nothing of anybody else's."""
    person, other = sign_up(service), sign_up(service)
    owned = [(it, it.make("books"), it.make("voices")) for it in (person, other)]
    kept_session.execute(insert(Audio).values(user_id=person.id, file_url="/1.mp3"))
    kept_session.commit()
    assert leave(person, "not-the-password").status_code == 403
    assert leave(person).status_code == 204
    assert me(person) == 401
    assert log_in(service, person.email).status_code == 401
    for kind in (Book, Voice, Audio):
        owners = set(map(str, kept_session.scalars(select(kind.user_id))))
        assert (person.id in owners, kind is Audio or other.id in owners) == (False, True)
    _, book, _ = owned[1]
    assert other.ask("GET", f"/api/v1/books/{book['id']}").status_code == 200
    # Its address is free again.
    registered = {"email": person.email, "password": PASSWORD}
    assert service.post(f"{AUTH}/register", json=registered).status_code == 202
    assert log_in(service, person.email).status_code == 200


def test_public_books_of_a_deleted_account_are_kept_nowhere(
    replicas: tuple[Replica, Replica],
) -> None:
    """In no replica's cache, when the answer has come there and an event later elsewhere."""
    here, there = replicas
    person = sign_up(here.client)
    public = {"visibility": "public"}
    book = f"books/{person.make('books', **public)['id']}"
    voice = f"voices/{person.make('voices', **public)['id']}"
    for replica in replicas:
        assert [replica.get(it)["visibility"] for it in (book, voice)] == ["public"] * 2
    assert leave(person).status_code == 204
    assert [here.get(book), here.get(voice)] == [404, 404]
    eventually_gone(there, book, voice)


def eventually_gone(replica: Replica, *paths: str) -> None:
    for _ in range(1000):
        if [replica.get(it) for it in paths] == [404] * len(paths):
            return
    raise AssertionError([replica.get(it) for it in paths])


def test_what_is_there_by_default_keeps_its_owner(
    service: httpx.Client, kept_session: Session
) -> None:
    """Everybody relies on it."""
    person = sign_up(service)
    book = person.make("books")["id"]
    kept_session.execute(
        update(Book).where(Book.id == book).values(visibility="default", is_default=True)
    )
    kept_session.commit()
    refused = leave(person)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:moriai:problem:conflict")
    assert service.get(f"/api/v1/books/{book}").status_code == 200


def test_who_has_no_password_here_confirms_nothing(
    service: httpx.Client, kept_session: Session
) -> None:
    """Somebody who signs in elsewhere: the operator changes or deletes the account."""
    person = sign_up(service)
    kept_session.execute(update(User).where(User.id == person.id).values(password_hash=None))
    kept_session.commit()
    assert change_password(person).status_code == 403
    assert leave(person).status_code == 403
    assert person.ask("POST", f"{AUTH}/logout-everywhere").status_code == 204


def test_everything_is_exported(service: httpx.Client, kept_session: Session) -> None:
    """As the other routes show it, oldest first, and nothing of anybody else's."""
    person, other = sign_up(service), sign_up(service)
    other.make("books", visibility="public")
    books = [person.make("books", title=f"Book {it}") for it in range(3)]
    voices = [person.make("voices") for _ in range(2)]
    kept_session.execute(insert(Audio).values(user_id=person.id, file_url="/1.mp3", duration=1.5))
    kept_session.commit()
    answer = person.ask("GET", f"{AUTH}/me/export")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    found: dict[str, Any] = json.loads(answer.content)
    assert found["account"] == person.ask("GET", f"{AUTH}/me").json()
    assert found["books"] == books
    assert found["voices"] == voices
    [audio] = found["audios"]
    assert (audio["file_url"], audio["duration"], audio["meta_data"]) == ("/1.mp3", 1.5, {})


def test_nothing_is_exported_as_empty_lists(service: httpx.Client) -> None:
    found = sign_up(service).ask("GET", f"{AUTH}/me/export").json()
    assert (found["books"], found["voices"], found["audios"]) == ([], [], [])


@pytest.mark.slow
def test_more_rows_than_a_query_takes_are_exported(
    service: httpx.Client, kept_session: Session
) -> None:
    person = sign_up(service)
    rows = [{"user_id": person.id, "file_url": f"/{it}.mp3"} for it in range(250)]
    kept_session.execute(insert(Audio), rows)
    kept_session.commit()
    found = person.ask("GET", f"{AUTH}/me/export").json()
    assert len({it["file_url"] for it in found["audios"]}) == 250
