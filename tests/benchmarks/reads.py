"""What a read costs, beside the same rows behind a bare FastAPI and SQLAlchemy."""

import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import datetime
from http.client import HTTPConnection
from itertools import cycle, islice
from pathlib import Path
from uuid import UUID

import psutil

from backend.services.cursor import Position, encode
from backend.services.tokens import Claim, Tokens
from tests.benchmarks.boot import INV_START, started
from tests.benchmarks.figures import Bench, Figure, Run, Target
from tests.cluster import Cluster
from tests.scenarios.process import DEADLINE, INV, project, run

_SECRET = "a long text that signs the tokens of benchmarks"

_BARE_START = (
    f"JWT_SECRET='{_SECRET}' exec {INV.with_name('uvicorn')} bare:app --port $BACKEND_PORT"
)

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

_MINE = _BOOKS.replace("somebody@", "me@").replace("'public'", "'private'").replace("240", "40")

_LIST = "/api/v1/books"

_OURS_START = f"JWT_SECRET='{_SECRET}' {INV_START}"

_CLIENTS = 8
_EACH = 150
"""Requests of each client at once, in each round."""

_WARM_UP = 40
"""Requests before the clock runs."""


def reads(bench: Bench, cluster: Cluster, folder: Path, rounds: int) -> Iterator[Figure]:
    """Measure a page of a list and a whole book: read first, again, and by their owner.

    `rounds` is how often the processor time of the owner's reads is measured.

    Every run has a server of its own, so that nothing is kept of what is read the first time.
    """
    folder.mkdir()
    root = project(folder)
    shutil.copy(Path(__file__).with_name("bare.py"), root)
    with cluster.database() as database:
        url = cluster.url(database)
        for task in ("migrate", "seed"):
            run(root, task, DATABASE_URL=url).assert_ok()
        cluster.execute(_BOOKS, database)
        cluster.execute("VACUUM ANALYZE", database)
        rows = cluster.query(
            "SELECT created_at, id FROM books WHERE visibility = 'public' ORDER BY created_at",
            database,
        )
        positions = [Position(datetime.fromisoformat(f"{at}"), UUID(f"{id}")) for at, id in rows]
        kinds = {
            "a page of 20 books": [f"{_LIST}?cursor={encode(it)}" for it in positions[20:]],
            "a book of 5 pages, whole": [f"{_LIST}/{it.id}" for it in positions],
        }
        for title, paths in kinds.items():
            _require_the_same(root, url, paths[0])
            runs = {
                "FastAPI and SQLAlchemy alone": _reading(root, url, _BARE_START, paths),
                "ours, the first time": _reading(root, url, _OURS_START, paths),
                "ours, again": _reading(root, url, _OURS_START, [paths[0]] * len(paths)),
            }
            targets = (Target("ours, the first time", 1.3), Target("ours, again", 0.5))
            yield Figure(title, "s", bench.alternate(title, runs), targets)
        cluster.execute(_MINE, database)
        cluster.execute("VACUUM ANALYZE", database)
        [(owner,)] = cluster.query("SELECT id FROM users WHERE email = 'me@example.org'", database)
        token = {"Authorization": f"Bearer {Tokens(_SECRET).issue(Claim(UUID(f'{owner}'), 0))}"}
        mine = cluster.query(f"SELECT id FROM books WHERE user_id = '{owner}'", database)
        own = {
            "a page of 20 private books": [f"{_LIST}?shelf=mine"],
            "a private book of 5 pages": [f"{_LIST}/{id}" for (id,) in mine],
        }
        for (title, paths), public in zip(own.items(), kinds.values(), strict=True):
            runs = {
                "FastAPI and SQLAlchemy alone": _working(root, url, _BARE_START, paths, token),
                "ours": _working(root, url, _OURS_START, paths, token),
                "ours, public and kept": _working(root, url, _OURS_START, public[:1], {}),
            }
            targets = (Target("ours", 1.2), Target("ours, public and kept", 0.35))
            name = f"processor time of {title}, {_CLIENTS} readers at once"
            yield Figure(name, "s", bench.alternate(name, runs, rounds), targets)


def _working(
    root: Path, url: str, command: str, paths: Sequence[str], headers: Mapping[str, str]
) -> Run:
    """Return what has clients read side by side, and returns the server's seconds of a request."""

    def read(port: int, count: int) -> None:
        with closing(HTTPConnection("127.0.0.1", port, timeout=DEADLINE)) as client:
            for path in islice(cycle(paths), count):
                _read(client, path, headers)

    def once() -> float:
        with started(root, command, url) as server, ThreadPoolExecutor(_CLIENTS) as clients:
            for count in (_WARM_UP, _EACH):
                begun = _processor_time(server.pid)
                list(clients.map(lambda _, count=count: read(server.port, count), range(_CLIENTS)))
            return (_processor_time(server.pid) - begun) / (_CLIENTS * _EACH)

    return once


def _processor_time(pid: int) -> float:
    """Return the seconds that a process and its children have worked."""
    process = psutil.Process(pid)
    times = [it.cpu_times() for it in (process, *process.children(recursive=True))]
    return float(sum(it.user + it.system for it in times))


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
    for command in (_BARE_START, _OURS_START):
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


def _read(client: HTTPConnection, path: str, headers: Mapping[str, str] | None = None) -> bytes:
    client.request("GET", path, headers=headers or {})
    answer = client.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{path} was answered with {answer.status}")
    return body
