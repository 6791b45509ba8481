"""What is wrong with a request is said in words for whoever sent it, and briefly."""

import json
import re
import time
import timeit
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest

from backend.api.complaints import MOST
from backend.main import create_app
from tests.api.document import operations
from tests.api.paths import BOOKS
from tests.api.people import STORY, Person, new_name, sign_up

LOGIN = "/api/v1/auth/login"
VOICES = "/api/v1/voices"


@pytest.fixture(scope="module")
def person(service: httpx.Client) -> Person:
    return sign_up(service)


def said(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 422, answer.text
    return [it["msg"] for it in answer.json()["errors"]]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"visibility": "default"}, "Input should be 'private' or 'public'"),
        ({"status": "completed"}, "Input should be 'draft' or 'creating'"),
        ({"title": " "}, "Should have at least one visible character, and no NUL"),
        ({"genre": "\0"}, "Should have no NUL in it"),
        (
            {"cover_image": "cover.png"},
            "Should be an address by http or https, or a path on this server, without spaces",
        ),
        ({"pages": [{}] * 101}, "List should have at most 100 items, not 101"),
        ({"pages": [1]}, "Should be an object"),
        (
            {
                "pages": [
                    {
                        "dialogues": [
                            {"speaker": "A", "translations": [{"language_code": "e", "text": ""}]}
                        ]
                    }
                ]
            },
            "Should be a language as BCP 47 writes it, like en, pt-BR or zh-Hant",
        ),
    ],
)
def test_a_complaint_is_in_plain_words(
    person: Person, wrong: dict[str, Any], sentence: str
) -> None:
    assert said(person.ask("POST", BOOKS, {**STORY, **wrong})) == [sentence]


def test_a_change_is_an_object(person: Person) -> None:
    book = person.make("books")["id"]
    assert said(person.ask("PATCH", f"{BOOKS}/{book}", [])) == ["Should be an object"]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"email": "mina"}, "Should be an address like mina@example.org"),
        ({"password": "short"}, "Should have at least 10 characters"),
        ({"password": "long" * 100}, "Should have at most 200 characters"),
        ({"password": "half a pair \ud800"}, "Not UTF-8"),
    ],
)
def test_a_password_is_spoken_of_as_a_text(
    service: httpx.Client, wrong: dict[str, str], sentence: str
) -> None:
    body = {"email": f"{new_name()}@example.org", "password": "a-password-of-tests", **wrong}
    answer = service.post(
        "/api/v1/auth/register",
        content=json.dumps(body),
        headers={"Content-Type": "application/json"},
    )
    assert said(answer) == [sentence]


def test_a_cursor_of_nothing(service: httpx.Client) -> None:
    assert said(service.get(f"{BOOKS}?cursor=nonsense")) == [
        "This is not a cursor of this list: take the next_cursor of an answer, unchanged"
    ]


@pytest.mark.parametrize("header", [None, "application/x-www-form-urlencoded", "text/plain"])
def test_what_does_not_say_that_it_is_json(service: httpx.Client, header: str | None) -> None:
    """As curl sends it where it is told nothing."""
    headers = {} if header is None else {"Content-Type": header}
    answer = service.post(LOGIN, content=b'{"email":"a@b.c","password":"x"}', headers=headers)
    assert said(answer) == ["Send it as JSON, with the header `Content-Type: application/json`"]


def test_what_is_not_json_is_malformed(service: httpx.Client) -> None:
    """It says where, and repeats nothing."""
    answer = service.post(
        LOGIN, content=b'{"email":"a","password":}', headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:moriai:problem:malformed-request"
    assert answer.json()["detail"] == (
        "The body is not JSON: Expecting value, at character 24. Fix it, and send it again."
    )


def test_the_first_complaints_are_told(service: httpx.Client) -> None:
    """And how many there are besides."""
    unknown = {f"key {number}": 1 for number in range(50)}
    answer = service.post(LOGIN, json={"email": "a@b.cd", "password": "x", **unknown})
    assert len(said(answer)) == MOST
    assert answer.json()["detail"] == "Fix what `errors` names, and 30 more, and send it again."


_DIALOGUE = {"translations": [1] * 20, "audios": [1] * 40}


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        (VOICES, {f"{n}": 1 for n in range(90_000)}, "Has more than 100 faults"),
        (VOICES, {"k" * 1_000_000: 1}, None),
        (
            BOOKS,
            {"title": "Up", "pages": [{"dialogues": [_DIALOGUE] * 20}] * 8},
            "Has more than 100 faults",
        ),
        (BOOKS, {"title": "Up", "pages": [{f"{n}": 1 for n in range(900)}] * 100}, None),
    ],
    ids=["many keys", "a long key", "many items", "many keys inside"],
)
def test_the_largest_body_has_a_short_answer(
    person: Person, path: str, body: object, sentence: str | None
) -> None:
    """It takes little more than to read the body: the process does nothing else meanwhile."""
    content = json.dumps(body, separators=(",", ":")).encode()
    assert 20_000 < len(content) < 1 << 20
    headers = {**person.headers, "Content-Type": "application/json"}

    def post(content: bytes) -> httpx.Response:
        return person.client.post(path, content=content, headers=headers)

    answer = post(content)
    assert sentence is None or said(answer) == [sentence]
    assert answer.status_code == 422
    assert len(answer.content) < 10_000
    least = _seconds(lambda: json.loads(content)) + _seconds(lambda: post(b"{}"))
    assert _seconds(lambda: post(content)) < 10 * least


def _seconds(work: Callable[[], object]) -> float:
    """Return the time on processors of this process and the service in it: the least of three."""
    return min(timeit.repeat(work, timer=time.process_time, number=1, repeat=3))


def test_every_body_has_few_faults(person: Person) -> None:
    """Whatever is sent where something is taken."""
    with_body = [name for name, it in operations(create_app().openapi()) if "requestBody" in it]
    assert with_body
    for operation in with_body:
        method, path = operation.split()
        path = path.replace("{language_code}", "en")
        unknown = {f"{number}": 1 for number in range(200)}
        found = said(person.ask(method, re.sub("{.*?}", str(uuid4()), path), unknown))
        assert found == ["Has more than 100 faults"], operation
