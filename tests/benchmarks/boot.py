"""What it costs to get from nothing to the first answer, and to notice a database."""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import psycopg2

from tests.benchmarks.figures import Bench, Figure, Peer, Target
from tests.cluster import Cluster, free_port
from tests.scenarios.process import DEADLINE, INV, project, run

_UVICORN = f"{INV.with_name('uvicorn')} backend.main:app --port $BACKEND_PORT"
_ALEMBIC = f"{INV.with_name('alembic')} upgrade head"
_PYTHON = INV.with_name("python")

_WAIT = """
import os, time
import psycopg2
while True:
    try:
        psycopg2.connect(os.environ["DATABASE_URL"]).close()
        break
    except psycopg2.OperationalError:
        time.sleep(1)
"""

_SEED = """
import os
from sqlalchemy import create_engine
from backend.seeds import seed
url = os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg2:", 1)
with create_engine(url).begin() as connection:
    seed(connection)
"""

INV_START = f"exec {INV} start"

STARTS: Mapping[str, str] = {
    "bare uvicorn": f"exec {_UVICORN}",
    "inv start": INV_START,
    "psql loop, alembic, uvicorn": (
        'until psql -d "$DATABASE_URL" -c "SELECT 1"; do sleep 2; done; '
        f"{_ALEMBIC}; exec {_UVICORN}"
    ),
    "wait script, alembic, seed script, uvicorn": (
        f"{_PYTHON} wait.py; {_ALEMBIC}; {_PYTHON} seed.py; exec {_UVICORN}"
    ),
}
"""From the shell; the application is the same."""


@dataclass(frozen=True)
class Started:
    """A server that is ready, and how many seconds that took."""

    seconds: float
    pid: int
    port: int


@contextmanager
def started(folder: Path, command: str, url: str, path: str = os.defpath) -> Iterator[Started]:
    """Run until the first 200 on readiness; `path` is where else programs are."""
    port = free_port()
    environment = {
        "PATH": f"{path}:{os.environ.get('PATH', os.defpath)}",
        "HOME": str(folder),
        "PYTHONPATH": str(folder),
        "DATABASE_URL": url,
        "BACKEND_PORT": str(port),
    }
    begun = time.perf_counter()
    with subprocess.Popen(
        ["/bin/sh", "-c", command],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            while not _is_ready(port):
                if process.poll() is not None or time.perf_counter() - begun > DEADLINE:
                    raise RuntimeError(f"{command} did not serve")
                threading.Event().wait(0.003)
            yield Started(time.perf_counter() - begun, process.pid, port)
        finally:
            process.terminate()


def _is_ready(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


@contextmanager
def _current(cluster: Cluster, folder: Path) -> Iterator[tuple[Path, str]]:
    """Give our project, and a database that is up to date and seeded."""
    folder.mkdir()
    root = project(folder)
    (root / "wait.py").write_text(_WAIT)
    (root / "seed.py").write_text(_SEED)
    with cluster.database() as database:
        url = cluster.url(database)
        for task in ("migrate", "seed", "migrate"):
            run(root, task, DATABASE_URL=url).assert_ok()
        yield root, url


def start(bench: Bench, cluster: Cluster, folder: Path) -> Iterator[Figure]:
    """A start on a current schema, to the first 200 on readiness; its processor time, its memory.

    Other work on the machine changes the processor time less than the time.
    """
    programs = str(Path(cluster.program("psql")).parent)
    processor: dict[str, list[float]] = {name: [] for name in STARTS}
    memory: dict[str, list[float]] = {name: [] for name in STARTS}
    with _current(cluster, folder) as (root, url):

        def runner(name: str) -> Callable[[], float]:
            def once() -> float:
                with started(root, STARTS[name], url, programs) as server:
                    processor[name].append(_processor_seconds(server.pid))
                    memory[name].append(_megabytes(server.pid))
                return server.seconds

            return once

        for warm_up in STARTS:
            runner(warm_up)()
        peers = bench.alternate("start", {name: runner(name) for name in STARTS})
    yield Figure(
        "start on a current schema, to the first 200", "s", peers, (Target("inv start", 1.25),)
    )
    used = tuple(Peer(name, tuple(costs[1:])) for name, costs in processor.items())
    yield Figure("processor time of that", "s", used, (Target("inv start", 1.25),))
    ours = ("bare uvicorn", "inv start")
    costs = tuple(Peer(name, tuple(memory[name][1:])) for name in ours)
    yield Figure("memory while serving after that", "MB", costs, (Target("inv start", 1.1),))


def _processor_seconds(pid: int) -> float:
    """Return the seconds that a process and its ended children have used, of user and system."""
    # The name of the program is in brackets, and may contain anything (proc(5)).
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, after_name[11:15])) / os.sysconf("SC_CLK_TCK")


def _megabytes(pid: int) -> float:
    """Return what a process and its children have for themselves, and their share of the rest."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    own = next(
        int(line.split()[1])
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        if line.startswith("Pss:")
    )
    return own / 1024 + sum(_megabytes(int(child)) for child in children)


WAITS: Mapping[str, str] = {
    "inv wait-db": f"exec {INV} wait-db",
    "pg_isready loop, 0.1 s": 'until pg_isready -q -d "$DATABASE_URL"; do sleep 0.1; done',
    "psql loop, 1 s": 'until psql -qd "$DATABASE_URL" -c "SELECT 1"; do sleep 1; done',
    "psql loop, 2 s": 'until psql -qd "$DATABASE_URL" -c "SELECT 1"; do sleep 2; done',
}


def waiting(bench: Bench, cluster: Cluster, folder: Path) -> Iterator[Figure]:
    """From the moment when a login succeeds to the moment when the waiting ends."""
    folder.mkdir()
    root = project(folder)
    path = f"{Path(cluster.program('psql')).parent}:{os.environ.get('PATH', os.defpath)}"
    with cluster.database() as database:
        url = cluster.url(database)
        environment = {"PATH": path, "HOME": str(folder), "DATABASE_URL": url}

        def runner(name: str) -> Callable[[], float]:
            def once() -> float:
                cluster.stop("fast")
                with subprocess.Popen(
                    ["/bin/sh", "-c", WAITS[name]],
                    cwd=root,
                    env=environment,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                ) as process:
                    # Each meets another moment of the loops.
                    threading.Event().wait(1 + time.time() % 1)
                    ready: list[float] = []
                    watcher = threading.Thread(target=lambda: ready.append(_first_login(url)))
                    watcher.start()
                    cluster.start()
                    process.wait(DEADLINE)
                    ended = time.perf_counter()
                    watcher.join()
                return max(ended - ready[0], 0.0)

            return once

        peers = bench.alternate("wait-db", {name: runner(name) for name in WAITS})
    targets = (Target("inv wait-db", 0.06, "median"), Target("inv wait-db", 0.15, "p95"))
    yield Figure("database ready → the waiting ends", "s", peers, targets)


def _first_login(url: str) -> float:
    while True:
        try:
            psycopg2.connect(url, connect_timeout=2).close()
        except psycopg2.OperationalError:
            threading.Event().wait(0.002)
        else:
            return time.perf_counter()
