"""An application beside others on the same database."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi import FastAPI

from backend.cache.answers import Key
from backend.main import create_app
from tests.api.application_settings import settings_for
from tests.api.paths import API
from tests.api.people import Person
from tests.api.server import serving


@dataclass(frozen=True)
class Replica:
    app: FastAPI
    client: httpx.Client

    def get(self, path: str) -> Any:
        answer = self.client.get(f"{API}/{path}")
        return answer.json() if answer.status_code == 200 else answer.status_code

    def keys(self) -> frozenset[Key]:
        kept: frozenset[Key] = self.app.state.resources.answers.keys()
        return kept

    def subjects(self) -> set[str]:
        return {key.subject for key in self.keys()}

    def ready(self) -> dict[str, Any]:
        answer = self.client.get("/health/ready")
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found

    def as_seen_by(self, person: Person) -> Person:
        return Person(person.id, person.email, person.token, self.client)


@contextmanager
def replica(url: str, **variables: str) -> Iterator[Replica]:
    app = create_app(settings_for(url, **variables))
    with serving(app) as client:
        yield Replica(app, client)
