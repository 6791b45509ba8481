"""Whole books: few are in memory at once, whoever asks for however many."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.orm import Session
from starlette.requests import Request

from backend.api.cached_answers import Reader
from backend.api.threads import Threads
from backend.cache.answers import Answers, Key
from tests.api.lock_waits import await_waiting, waiting
from tests.api.paths import BOOKS
from tests.api.people import Person, sign_up

AT_ONCE = 2


@pytest.fixture(scope="module")
def person(service: httpx.Client) -> Person:
    return sign_up(service)


@pytest.mark.parametrize("visibility", ["private", "public"])
def test_few_whole_books_are_read_at_once(
    service: httpx.Client, person: Person, kept_session: Session, visibility: str
) -> None:
    """Different ones, over many connections. What else is read has threads meanwhile."""
    books: Sequence[str] = [person.make("books", visibility=visibility)["id"] for _ in range(8)]
    kept_session.execute(text("LOCK TABLE pages"))
    with ThreadPoolExecutor(len(books)) as pool:
        asked = [pool.submit(person.ask, "GET", f"{BOOKS}/{it}") for it in books]
        await_waiting(kept_session, AT_ONCE)
        for path in (f"{BOOKS}?shelf=mine", "/api/v1/auth/me", "/api/v1/voices?shelf=mine"):
            assert person.ask("GET", path).status_code == 200
        assert waiting(kept_session) == AT_ONCE
        kept_session.rollback()
        assert {it.result().status_code for it in asked} == {200}


def test_a_source_that_is_kept_no_more_is_read_again(
    _writing_app: FastAPI, service: httpx.Client
) -> None:
    """So no request has to hold a book while it waits for its turn."""
    opened = replace(_writing_app.state.resources, answers=Answers(60), making=Threads(1))
    reader = Reader(None, Request({"type": "http"}), opened)
    source = Key("book 1", "marked")

    async def made(which: str, read: bytes | None) -> bytes | None:
        return await reader.made(Key("book 1", which), source, lambda _: read, bytes.upper)

    async def scenario() -> list[bytes | None]:
        found = [await made("a", b"read"), await made("b", None)]

        async def kept() -> bytes:
            return b"kept"

        await opened.answers.answer(source, kept)
        return [*found, await made("c", b"read"), await made("a", b"unread")]

    assert asyncio.run(scenario()) == [b"READ", None, b"KEPT", b"READ"]
