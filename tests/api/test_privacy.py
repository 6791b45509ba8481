"""Answers for one account alone must not be stored; answers for everybody may be."""

import httpx
import pytest

from tests.api.people import sign_up

BOOKS = "/api/v1/books"
ME = "/api/v1/auth/me"


def test_answers_for_an_account(service: httpx.Client) -> None:
    """Tokens, the account, its own books, and refusals of these."""
    headers = sign_up(service).headers
    nobody = {"email": "nobody@example.org", "password": "a-password-of-nobody"}
    answers = [
        service.get(ME, headers=headers),
        service.get(ME),
        service.get(f"{BOOKS}?shelf=mine", headers=headers),
        service.post(BOOKS, json={"title": "Mine"}, headers=headers),
        service.post("/api/v1/auth/login", json=nobody),
    ]
    assert [it.headers.get("cache-control") for it in answers] == ["no-store"] * len(answers)


@pytest.mark.parametrize("path", [BOOKS, "/health/live", "/docs", "/nothing"])
def test_answers_for_everybody(service: httpx.Client, path: str) -> None:
    assert "no-store" not in service.get(path).headers.get("cache-control", "")
