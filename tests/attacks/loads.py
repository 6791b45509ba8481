"""The attacks that `inv bench --only attacks` measures, a row each.

A row has a few lines: `run` sends the load to an application and returns what became of it;
`prepare`, if there is one, adds rows to the database beforehand.
"""

import asyncio
import math
from collections.abc import Callable, Coroutine, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import product
from string import ascii_lowercase
from typing import Any
from uuid import uuid4

import httpx
import psycopg2

from tests.attacks.application import Application
from tests.attacks.load import Outcomes, ask, crowd, read_slowly, request, stay_idle
from tests.attacks.probing import LIST, READY

BIG_BOOK = "00000000-0000-0000-0000-00000000b16b"

_BIG_BOOK = f"""
WITH owner AS (
    INSERT INTO users (email) VALUES ('author@example.org') RETURNING id
), book AS (
    INSERT INTO books (id, user_id, title, status, visibility)
    SELECT '{BIG_BOOK}', id, 'A big book', 'completed', 'public' FROM owner RETURNING id
), page AS (
    INSERT INTO pages (book_id, sequence)
    SELECT id, n FROM book, generate_series(1, 200) n RETURNING id
), dialogue AS (
    INSERT INTO dialogues (page_id, sequence, speaker)
    SELECT id, n, 'Narrator' FROM page, generate_series(1, 5) n RETURNING id
)
INSERT INTO dialogue_translations (dialogue_id, language_code, text)
SELECT id, 'a' || chr(96 + n), repeat('The gate goes squeak. ', 10)
FROM dialogue, generate_series(1, 10) n
"""
"""200 pages, 1,000 dialogues, 10,000 translations: about 3 MB as an answer."""

_CREDENTIALS = {"email": "nobody@example.org", "password": "a-password-of-nobody"}

_REFUSED_BODY = b"[" + b'{"title": 1},' * 80_000 + b"1]"
"""1 MB that is read in part and refused, for its brackets."""


_SIGNED_IN_AND_READ = 10.0
"""Seconds for which clients go on to sign in, and others to read."""

_HELD = 5.0
"""Seconds that slow and idle clients hold on to their connections."""


def _nothing(database_url: str) -> None:
    """Prepare nothing."""


@dataclass(frozen=True)
class Load:
    """An attack by `count` clients at once; a quick look takes a fiftieth of them."""

    count: int
    run: Callable[[Application, int], Coroutine[Any, Any, Outcomes]]
    prepare: Callable[[str], None] = _nothing


async def sign_in(target: Application, count: int) -> Outcomes:
    """Send a wrong password: ten are hashed, and the others refused before that."""
    sent = request("POST", "/api/v1/auth/login", _CREDENTIALS)
    return await crowd(count, partial(ask, target.port, sent))


async def log_in_and_read(
    target: Application, count: int, seconds: float = _SIGNED_IN_AND_READ
) -> Outcomes:
    """Have a fifth of the clients sign in again and again, and the others read lists."""
    sign_in_sent = request("POST", "/api/v1/auth/login", _CREDENTIALS)
    is_over = asyncio.get_running_loop().time() + seconds
    found = Outcomes()

    async def go_on(sent: bytes) -> None:
        while asyncio.get_running_loop().time() < is_over:
            found.update(await crowd(1, partial(ask, target.port, sent)))

    signing_in = math.ceil(count / 5)
    await asyncio.gather(
        *(
            go_on(sign_in_sent if number < signing_in else request("GET", LIST))
            for number in range(count)
        )
    )
    return found


async def read_languages(target: Application, count: int) -> Outcomes:
    """Read a big book in a language of one's own each, so that no answer is kept for another."""
    languages = map("".join, product(ascii_lowercase, repeat=2))

    async def read() -> str:
        path = f"/api/v1/books/{BIG_BOOK}?language={next(languages)}"
        return await ask(target.port, request("GET", path))

    return await crowd(count, read)


async def send_refused(target: Application, count: int) -> Outcomes:
    sent = request("POST", "/api/v1/books", _REFUSED_BODY)
    return await crowd(count, partial(ask, target.port, sent))


def book(pages: int) -> dict[str, Any]:
    """Return a book of 20 dialogues a page, each in 20 languages: 421 parts a page."""
    languages = [f"a{letter}" for letter in ascii_lowercase[:20]]
    words = [{"language_code": it, "text": "The gate goes squeak."} for it in languages]
    page = {"dialogues": [{"speaker": "Narrator", "translations": words}] * 20}
    return {"title": "A big book", "pages": [page] * pages}


async def write_refused_books(target: Application, count: int) -> Outcomes:
    """Send books of 900 KB with more parts than a book has room for."""
    return await _write(target, count, book(37))


async def write_big_books(target: Application, count: int) -> Outcomes:
    """Send books of 8,000 parts, which are written."""
    return await _write(target, count, book(19))


async def _write(target: Application, count: int, sent: dict[str, Any]) -> Outcomes:
    headers = {"Authorization": f"Bearer {await asyncio.to_thread(sign_up, target.port)}"}
    return await crowd(
        count, partial(ask, target.port, request("POST", "/api/v1/books", sent, headers))
    )


def sign_up(port: int) -> str:
    """Make an account; return its token."""
    credentials = {"email": f"{uuid4().hex}@example.org", "password": "a-password-of-attacks"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1/auth", timeout=60) as client:
        client.post("/register", json=credentials).raise_for_status()
        token: str = (
            client.post("/login", json=credentials).raise_for_status().json()["access_token"]
        )
    return token


async def read_slowly_big(target: Application, count: int) -> Outcomes:
    sent = request("GET", f"/api/v1/books/{BIG_BOOK}")
    return await crowd(count, partial(read_slowly, target.port, sent, 256, 0.1, _HELD))


async def idle(target: Application, count: int) -> Outcomes:
    return await crowd(count, partial(stay_idle, target.port, _HELD))


async def ask_ready(target: Application, count: int) -> Outcomes:
    """Ask for readiness five times each, one question after the other."""
    sent = request("GET", READY)

    async def ask_five_times() -> str:
        statuses = [await ask(target.port, sent) for _ in range(5)]
        return max(statuses)

    return await crowd(count, ask_five_times)


async def read_list(target: Application, count: int) -> Outcomes:
    return await crowd(count, partial(ask, target.port, request("GET", LIST)))


def add_big_book(database_url: str) -> None:
    with closing(psycopg2.connect(database_url)) as connection, connection:
        connection.cursor().execute(_BIG_BOOK)


LOADS: Mapping[str, Load] = {
    "read a list": Load(500, read_list),
    "sign in with a wrong password": Load(200, sign_in),
    "sign in again and again, or read": Load(60, log_in_and_read),
    "read a big book, each in another language": Load(200, read_languages, add_big_book),
    "send 1 MB that is refused": Load(100, send_refused),
    "write a book that is too big": Load(100, write_refused_books),
    "write a book of 8,000 parts": Load(100, write_big_books),
    "read a big book slowly": Load(2000, read_slowly_big, add_big_book),
    "connect and say nothing": Load(5000, idle),
    "ask for readiness, five times each": Load(200, ask_ready),
}
"""By what the clients do."""
