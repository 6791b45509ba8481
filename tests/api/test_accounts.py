import logging
import re
import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from uuid import UUID

import httpx
import jwt
import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from backend.models import SYSTEM_EMAIL, Book, User
from backend.services import passwords
from backend.services.tokens import Tokens
from tests.api.application_settings import SECRET
from tests.api.paths import AUTH
from tests.api.people import PASSWORD, log_in, new_name, register, sign_up, without_instance


def test_from_registering_to_who_i_am(service: httpx.Client) -> None:
    """The password comes back in no answer, and the address in lower case."""
    name = new_name()
    credentials = {"email": f"{name.upper()}@Example.org", "password": PASSWORD}
    registered = service.post(f"{AUTH}/register", json=credentials)
    assert (registered.status_code, registered.json()) == (202, {"email": f"{name}@example.org"})

    signed_in = log_in(service, f"{name}@EXAMPLE.ORG")
    assert signed_in.headers["cache-control"] == "no-store"
    token = signed_in.json()
    assert (token["token_type"], token["expires_in"]) == ("bearer", 86_400)
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    account = service.get(f"{AUTH}/me", headers=headers).json()
    assert account.keys() == {"id", "email", "created_at"}
    assert account["email"] == f"{name}@example.org"


def test_an_address_registers_once(service: httpx.Client) -> None:
    """However it is written; the first password stays, and the answer does not tell."""
    person = sign_up(service)
    again = register(service, person.email.upper(), "another-password")
    assert (again.status_code, again.json()) == (202, {"email": person.email})
    assert log_in(service, person.email, "another-password").status_code == 401
    assert log_in(service, person.email).status_code == 200
    assert person.ask("GET", f"{AUTH}/me").status_code == 200


def test_the_systems_address_is_nobodys(service: httpx.Client, kept_session: Session) -> None:
    """Whether its account is there or not, the answer is that of every address."""
    kept_session.execute(delete(User).where(User.email == SYSTEM_EMAIL))
    kept_session.commit()
    for _ in range(2):
        registered = register(service, "System@MoriAI.ai")
        assert (registered.status_code, registered.json()) == (202, {"email": SYSTEM_EMAIL})
        assert log_in(service, SYSTEM_EMAIL).status_code == 401
    kept = kept_session.scalars(select(User.password_hash).where(User.email == SYSTEM_EMAIL)).all()
    assert kept == [None]


def test_a_book_that_is_being_written_holds_no_registration_up(
    service: httpx.Client, kept_session: Session
) -> None:
    """The transaction that adds the book has locked its owner's row against changes of the key."""
    person = sign_up(service)
    kept_session.execute(insert(Book).values(user_id=UUID(person.id), title="Long"))
    assert register(service, person.email).status_code == 202
    kept_session.rollback()


@pytest.mark.slow
@pytest.mark.usefixtures("real_hashes")
def test_a_taken_address_takes_as_long_to_register(service: httpx.Client) -> None:
    """Both hash a password, and both write; the bound is wide."""
    person = sign_up(service)
    times: dict[str, list[float]] = {"taken": [], "free": []}
    for _ in range(15):
        for which, taken in times.items():
            email = person.email if which == "taken" else f"{new_name()}@example.org"
            started = time.perf_counter()
            assert register(service, email).status_code == 202
            taken.append(time.perf_counter() - started)
    of_taken, of_free = (median(it) for it in times.values())
    assert 0.5 < of_taken / of_free < 2, f"{of_taken:.4f} s and {of_free:.4f} s"


@pytest.mark.parametrize(
    "password", ["1234567890", "password123", "Mina@example.org", "PASSWORDPASSWORD"]
)
def test_a_password_that_is_guessed_first_is_refused(service: httpx.Client, password: str) -> None:
    """In a sentence, without the password."""
    answer = register(service, "mina@example.org", password)
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert (error["loc"], error["type"]) == (["body", "password"], "unfit_password")
    assert "Choose another" in error["msg"]
    assert password not in answer.text


def test_a_refused_login_does_not_say_why(service: httpx.Client, kept_session: Session) -> None:
    """Nobody learns who has an account, or whose is not active, or who signs in elsewhere."""
    right, inactive, elsewhere = (sign_up(service) for _ in range(3))
    kept_session.execute(update(User).where(User.id == inactive.id).values(is_active=False))
    kept_session.execute(update(User).where(User.id == elsewhere.id).values(password_hash=None))
    kept_session.commit()
    refused = [
        log_in(service, right.email, "wrong-password"),
        log_in(service, f"{new_name()}@example.org"),
        log_in(service, inactive.email),
        log_in(service, elsewhere.email),
    ]
    assert {it.status_code for it in refused} == {401}
    assert len({without_instance(it) for it in refused}) == 1


@pytest.mark.slow
@pytest.mark.parametrize("route", ["register", "login"])
def test_a_password_that_is_no_text(service: httpx.Client, route: str) -> None:
    """JSON can say half of a surrogate pair, which has no bytes to hash."""
    # Not by `json`, which refuses to send it.
    answer = service.post(
        f"{AUTH}/{route}",
        content=rb'{"email": "half@example.org", "password": "half-of-a-pair-\ud800"}',
        headers={"content-type": "application/json"},
    )
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert (error["loc"], "half-of-a-pair" in answer.text) == (["body", "password"], False)


@pytest.mark.slow
@pytest.mark.usefixtures("real_hashes")
def test_an_unknown_address_takes_as_long_as_a_wrong_password(service: httpx.Client) -> None:
    """Both verify a hash; the bound is wide, for a machine that does other things as well."""
    email = sign_up(service).email
    times: dict[str, list[float]] = {email: [], "nobody@example.org": []}
    for _ in range(15):
        for address, taken in times.items():
            started = time.perf_counter()
            assert log_in(service, address, "wrong-password").status_code == 401
            taken.append(time.perf_counter() - started)
    known, unknown = (median(taken) for taken in times.values())
    assert 0.5 < known / unknown < 2, f"{known:.4f} s and {unknown:.4f} s"


def test_judging_passwords_holds_no_sign_in_up(service: httpx.Client) -> None:
    """More people register than there are threads for hashes, and none is judged yet."""
    email = sign_up(service).email
    with ThreadPoolExecutor() as pool:
        with passwords._one_at_a_time:
            registered = [
                pool.submit(register, service, f"{new_name()}@example.org") for _ in range(3)
            ]
            while "\nmoriai_http_requests_in_flight 4.0" not in service.get("/metrics").text:
                assert not any(it.done() for it in registered)
            assert log_in(service, email).status_code == 200
        assert [it.result().status_code for it in registered] == [202] * 3


@pytest.mark.usefixtures("real_hashes")
def test_only_a_hash_is_kept(service: httpx.Client, kept_session: Session) -> None:
    """Of Argon2id, with a salt: the same password twice is not the same hash."""
    people = [sign_up(service) for _ in range(2)]
    kept = kept_session.scalars(
        select(User.password_hash).where(User.id.in_([it.id for it in people]))
    ).all()
    assert len(set(kept)) == 2
    assert all(it and it.startswith("$argon2id$v=19$m=19456,t=2,p=1$") for it in kept)


def test_secrets_are_in_no_log_and_no_complaint(
    service: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the password nor the token, whatever goes wrong; and no address."""
    caplog.set_level(logging.DEBUG)
    person = sign_up(service)
    person.ask("GET", f"{AUTH}/me")
    short = service.post(f"{AUTH}/register", json={"email": "a@b.c", "password": "sh0rt-1"})
    wrong = service.post(f"{AUTH}/login", json={"email": "nothing", "password": PASSWORD})
    assert (short.status_code, wrong.status_code) == (422, 422)
    said = caplog.text + short.text + wrong.text
    assert [it for it in (PASSWORD, "sh0rt-1", person.token) if it in said] == []
    assert person.email not in caplog.text
    assert person.email not in service.get("/metrics").text


def _token(claims: dict[str, object], key: bytes = Tokens(SECRET)._key) -> str:
    return jwt.encode(claims, key, "HS256")


def test_a_token_that_is_not_good_is_refused(service: httpx.Client) -> None:
    """Also where nobody need sign in: it is never passed over."""
    person = sign_up(service)
    good = {"sub": person.id, "iat": int(time.time()), "exp": int(time.time()) + 60}
    now = int(time.time())
    for claims in (good, {**good, "iat": now + 10}, {**good, "exp": now - 10}, {**good, "gen": 0}):
        assert _me(service, f"Bearer {_token(claims)}") == 200
    head, body, signature = person.token.split(".")
    bad = [
        f"Bearer {_token({**good, 'exp': now - 40})}",
        f"Bearer {_token({**good, 'iat': now + 40})}",
        f"Bearer {_token({**good, 'gen': 1})}",
        f"Bearer {_token({**good, 'gen': 'new'})}",
        f"Bearer {_token(good, b'another key of enough bytes for it')}",
        f"Bearer {jwt.encode(good, None, 'none')}",
        f"Bearer {_token({**good, 'sub': 'nobody'})}",
        f"Bearer {_token({'sub': person.id, 'iat': good['iat']})}",
        f"Bearer {_token({**good, 'sub': '00000000-0000-0000-0000-000000000000'})}",
        f"Bearer {head}.{body}.{signature[::-1]}",
        f"Basic {person.token}",
        "Bearer",
        "Bearer é",
    ]
    assert [_me(service, it) for it in bad] == [401] * len(bad)
    books = [service.get("/api/v1/books", headers=_header(it)).status_code for it in bad]
    assert books == [401] * len(bad)


def _header(text: str) -> dict[bytes, bytes]:
    return {b"Authorization": text.encode()}


def _me(service: httpx.Client, authorization: str) -> int:
    return service.get(f"{AUTH}/me", headers=_header(authorization)).status_code


def test_a_token_is_not_the_secret(service: httpx.Client) -> None:
    """Nor does printing what makes them show it."""
    assert not re.search(SECRET, repr(Tokens(SECRET)))


def test_a_deleted_account_is_nobody(service: httpx.Client, kept_session: Session) -> None:
    """Its token is worth nothing from then on."""
    person = sign_up(service)
    kept_session.delete(kept_session.get_one(User, person.id))
    kept_session.commit()
    assert person.ask("GET", f"{AUTH}/me").status_code == 401
