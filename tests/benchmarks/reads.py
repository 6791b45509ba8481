"""What a reader waits for, beside the same queries behind a bare FastAPI and SQLAlchemy."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from http.client import HTTPConnection
from pathlib import Path
from uuid import UUID

from backend.services.cursor import Position, encode
from tests.benchmarks.boot import INV_START, started
from tests.benchmarks.figures import Bench, Figure, Run, Target
from tests.cluster import Cluster
from tests.scenarios.process import DEADLINE, INV, project, run

_BARE = '''
"""The same queries and the same answers, with nothing around them."""

from os import environ
from uuid import UUID

from fastapi import FastAPI
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from backend.schemas.books import BookDetail, BookList
from backend.services import shelves
from backend.services.cursor import decode
from backend.services.listing import Turn

engine = create_engine(environ["DATABASE_URL"])
app = FastAPI()


@app.get("/health/ready")
def ready() -> None:
    pass


@app.get("/api/v1/books")
def list_books(cursor: str | None = None) -> BookList:
    turn = Turn(decode(cursor) if cursor else None, 20)
    with Session(engine) as session:
        return shelves.list_books(session, None, None, turn)


@app.get("/api/v1/books/{book_id}")
def read_book(book_id: UUID) -> BookDetail:
    with Session(engine) as session:
        return shelves.shared_book(session, book_id)
'''

_BARE_START = f"exec {INV.with_name('uvicorn')} bare:app --port $BACKEND_PORT"

_BOOKS = """
WITH owner AS (
    INSERT INTO users (email) VALUES ('somebody@example.org') RETURNING id
), book AS (
    INSERT INTO books (user_id, title, status, visibility, created_at)
    SELECT id, 'Book ' || n, 'completed', 'public', now() + n * interval '1 second'
    FROM owner, generate_series(1, 240) n RETURNING id
), page AS (
    INSERT INTO pages (book_id, sequence, image_prompt)
    SELECT id, n, 'A gate to a playground' FROM book, generate_series(1, 5) n RETURNING id
), dialogue AS (
    INSERT INTO dialogues (page_id, sequence, speaker)
    SELECT id, n, 'Narrator' FROM page, generate_series(1, 2) n RETURNING id
), words AS (
    INSERT INTO dialogue_translations (dialogue_id, language_code, text)
    SELECT id, language, 'The gate goes squeak, and the whole playground says good morning.'
    FROM dialogue, unnest(ARRAY['de', 'en']) language
)
INSERT INTO dialogue_audios (dialogue_id, language_code, voice_id, audio_url, duration)
SELECT id, 'en', 'narrator-en', 'https://example.org/squeak.mp3', 4.6 FROM dialogue
"""
"""Each of five pages, with what is said on them in two languages."""

_WARM_UP = 40
"""Requests before the clock runs."""


def reads(bench: Bench, cluster: Cluster, folder: Path) -> Iterator[Figure]:
    """A page of a list, and a whole book: read the first time, and again.

    Every run has a server of its own, so that nothing is kept of what is read the first time.
    """
    folder.mkdir()
    root = project(folder)
    (root / "bare.py").write_text(_BARE)
    with cluster.database() as database:
        url = cluster.url(database)
        for task in ("migrate", "seed"):
            run(root, task, DATABASE_URL=url).assert_ok()
        cluster.execute(_BOOKS, database)
        cluster.execute("VACUUM ANALYZE", database)
        rows = cluster.query("SELECT created_at, id FROM books ORDER BY created_at, id", database)
        positions = [Position(datetime.fromisoformat(f"{at}"), UUID(f"{id}")) for at, id in rows]
        for title, paths in {
            "a page of 20 books": [f"/api/v1/books?cursor={encode(it)}" for it in positions],
            "a book of 5 pages, whole": [f"/api/v1/books/{it.id}" for it in positions],
        }.items():
            _require_the_same(root, url, paths[0])
            runs = {
                "FastAPI and SQLAlchemy alone": _reading(root, url, _BARE_START, paths),
                "ours, the first time": _reading(root, url, INV_START, paths),
                "ours, again": _reading(root, url, INV_START, [paths[0]] * len(paths)),
            }
            targets = (Target("ours, the first time", 1.3), Target("ours, again", 0.5))
            yield Figure(title, "s", bench.alternate(title, runs), targets)


def _reading(root: Path, url: str, command: str, paths: Sequence[str]) -> Run:
    """Return what reads them one after the other, and returns the seconds that each took."""

    def once() -> float:
        with _client(root, url, command) as client:
            for path in paths[:_WARM_UP]:
                _read(client, path)
            begun = time.perf_counter()
            for path in paths[_WARM_UP:]:
                _read(client, path)
            return (time.perf_counter() - begun) / len(paths[_WARM_UP:])

    return once


def _require_the_same(root: Path, url: str, path: str) -> None:
    answers = []
    for command in (_BARE_START, INV_START):
        with _client(root, url, command) as client:
            answers.append(json.loads(_read(client, path)))
    if answers[0] != answers[1]:
        raise RuntimeError(f"{path} is not the same from both")


@contextmanager
def _client(root: Path, url: str, command: str) -> Iterator[HTTPConnection]:
    with (
        started(root, command, url) as server,
        closing(HTTPConnection("127.0.0.1", server.port, timeout=DEADLINE)) as client,
    ):
        yield client


def _read(client: HTTPConnection, path: str) -> bytes:
    client.request("GET", path)
    answer = client.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{path} was answered with {answer.status}")
    return body
