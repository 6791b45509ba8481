"""People who use the API: each with a client that shows their token."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

from tests.api.paths import AUTH

PASSWORD = "a-password-of-tests"

STORY: dict[str, Any] = {
    "title": "Up and Away",
    "pages": [
        {
            "image_url": "/1.png",
            "dialogues": [
                {
                    "speaker": "Mina",
                    "translations": [
                        {"language_code": "en", "text": "Hello!"},
                        {"language_code": "ko", "text": "안녕!"},
                    ],
                    "audios": [
                        {"language_code": "en", "voice_id": "mina-en", "audio_url": "/1-en.mp3"},
                        {"language_code": "ko", "voice_id": "mina-ko", "audio_url": "/1-ko.mp3"},
                    ],
                }
            ],
        },
        {"image_url": "/2.png"},
    ],
}
"""A book of two pages with one dialogue in two languages."""


@dataclass(frozen=True)
class Person:
    """Somebody who has signed in."""

    id: str
    email: str
    token: str
    client: httpx.Client

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def ask(self, method: str, path: str, body: object = None) -> httpx.Response:
        """Return the answer to a request of theirs."""
        # Not by `json`, which refuses to send halves of surrogate pairs.
        content = None if body is None else json.dumps(body)
        headers = {**self.headers, "Content-Type": "application/json"}
        return self.client.request(method, path, content=content, headers=headers)

    def make(self, what: str, **fields: object) -> dict[str, Any]:
        """Make a book or a voice, and return it."""
        body = dict(STORY) if what == "books" else {"name": "Mina", "provider_voice_id": new_name()}
        answer = self.ask("POST", f"/api/v1/{what}", {**body, **fields})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def ids(self, what: str, query: str = "") -> set[str]:
        """Return the ids of all books or voices that they see, turning page after page."""
        seen: set[str] = set()
        cursor: str | None = ""
        while cursor is not None:
            found = self.ask("GET", f"/api/v1/{what}?limit=100{query}{cursor}").json()
            seen |= {it["id"] for it in found["items"]}
            cursor = found["next_cursor"] and f"&cursor={found['next_cursor']}"
        return seen


def new_name() -> str:
    """Return a name that nobody has."""
    return f"v{uuid4().hex}"


def without_instance(answer: httpx.Response) -> bytes:
    """Return a problem without its last part, the id of the request, which is never the same."""
    return answer.content.partition(b',"instance"')[0]


def sign_up(client: httpx.Client) -> Person:
    """Register somebody new, and sign them in."""
    credentials = {"email": f"{new_name()}@example.org", "password": PASSWORD}
    registered = client.post("/api/v1/auth/register", json=credentials)
    assert registered.status_code == 202, registered.text
    answer = client.post("/api/v1/auth/login", json=credentials)
    assert answer.status_code == 200, answer.text
    token = answer.json()["access_token"]
    account = client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"}).json()
    return Person(account["id"], account["email"], token, client)


def register(service: httpx.Client, email: str, password: str = PASSWORD) -> httpx.Response:
    return service.post(f"{AUTH}/register", json={"email": email, "password": password})


def log_in(service: httpx.Client, email: str, password: str = PASSWORD) -> httpx.Response:
    return service.post(f"{AUTH}/login", json={"email": email, "password": password})
