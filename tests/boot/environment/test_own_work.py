"""The work of an env.py: calls of this package, and threads that env.py starts itself."""

import threading
from collections.abc import Callable
from contextvars import copy_context
from pathlib import Path

import pytest

import alembic_boot
from alembic_boot.own_work import own_call, own_work
from tests.boot.in_process import Theirs, checking, theirs
from tests.cluster import Cluster
from tests.scenarios.envs import own_settings_env
from tests.scenarios.process import relations

IN_A_THREAD = """
from concurrent.futures import ThreadPoolExecutor

def work():
{}

with ThreadPoolExecutor(1) as executor:
    executor.submit(work).result()
"""
"""What an env.py does that expects an event loop in its own thread."""


def in_a_thread(env: str) -> str:
    """Return an env.py that does the same in a thread of its own."""
    return IN_A_THREAD.format("".join(f"    {line}\n" for line in env.splitlines()))


def calling(call: str, path: Path, url: str) -> str:
    """Return an env.py that calls a function of this package."""
    return f"import alembic_boot\nalembic_boot.{call}({str(path)!r}, {url!r})\n"


@pytest.mark.parametrize("wrapped", [str, in_a_thread])
@pytest.mark.parametrize("call", ["migrate", "status", "check"])
def test_an_env_py_that_calls_us(
    tmp_path: Path, database_url: str, call: str, wrapped: Callable[[str], str]
) -> None:
    """The call would wait for the run of env.py that it belongs to: it is refused at once."""
    env = wrapped(calling(call, tmp_path / "theirs", database_url))
    their = theirs(tmp_path, database_url, env=env)
    their.project.revision("a1")
    their.migrate().assert_failed(2, "env.py, or a module that it imports, calls alembic_boot …")
    with pytest.raises(alembic_boot.ConfigurationError, match="calls alembic_boot while"):
        alembic_boot.migrate(their.project.folder, database_url)


def test_a_revision_that_calls_us(tmp_path: Path, database_url: str) -> None:
    """The same for a module that a revision imports."""
    their = theirs(tmp_path, database_url)
    their.project.revision("a1", constants=calling("migrate", their.project.folder, database_url))
    their.migrate().assert_failed(2, "env.py, or a module that it imports, calls alembic_boot …")


def test_an_env_py_that_asks_for_readiness(tmp_path: Path, database_url: str) -> None:
    """The answer is that the schema is not ready, and env.py goes on, also under a command."""
    env = calling("readiness", tmp_path / "theirs", database_url)
    env = env.replace("alembic_boot.readiness", "found = alembic_boot.readiness")
    env = f"{env}\nraise SystemExit(f'{{found.ready}}: {{found.cause}}')"
    their = theirs(tmp_path, database_url, env=env)
    their.project.revision("a1")
    their.migrate().assert_failed(5, "…False: A command runs in this process.…")
    with pytest.raises(alembic_boot.BootError, match="False: A migration runs in this process"):
        alembic_boot.migrate(their.project.folder, database_url)
    with pytest.raises(alembic_boot.BootError, match="False: A command runs in this process"):
        alembic_boot.status(their.project.folder, database_url)


def test_a_description_without_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To learn the URL, env.py would run in itself, without an end."""
    for name in ("DATABASE_URL", "MIGRATION_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    env = f"import alembic_boot\nalembic_boot.describe({str(tmp_path / 'theirs')!r})\n"
    their = theirs(tmp_path, "", env=env)
    with pytest.raises(alembic_boot.ConfigurationError, match="calls alembic_boot while"):
        alembic_boot.describe(their.project.folder)


def migrating(their: Theirs) -> None:
    their.migrate().assert_ok()


def calling_migrate(their: Theirs) -> None:
    alembic_boot.migrate(their.project.folder, their.url)


@pytest.mark.parametrize("do", [migrating, calling_migrate])
def test_an_env_py_that_works_in_a_thread(
    tmp_path: Path,
    cluster: Cluster,
    database: str,
    database_url: str,
    do: Callable[[Theirs], None],
) -> None:
    """It connects, configures and runs the migrations there."""
    env = in_a_thread(own_settings_env(database_url, "psycopg2", ""))
    their = theirs(tmp_path, database_url, env=env)
    their.project.revision("a1")
    their.project.revision("b2", "a1")
    do(their)
    assert "t_b2" in relations(cluster, database)


@pytest.mark.parametrize("is_called", [False, True])
def test_a_replay_of_an_env_py_that_works_in_a_thread(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str, *, is_called: bool
) -> None:
    """Its logins are led to the scratch database."""
    env = in_a_thread(own_settings_env(database_url, "psycopg2", ""))
    their = theirs(tmp_path, database_url, env=env)
    their.project.revision("a1")
    if is_called:
        assert alembic_boot.check(their.project.folder, database_url).findings == ()
    else:
        their.run(checking).assert_ok()
    assert relations(cluster, database) == []


def test_a_change_in_a_thread(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """A call that promises to change nothing refuses it, as in the thread of env.py."""
    env = own_settings_env(database_url, "psycopg2", "").replace(
        "with engine.connect()",
        'with engine.begin() as one:\n    one.exec_driver_sql("CREATE TABLE theirs ()")\n'
        "with engine.connect()",
    )
    their = theirs(tmp_path, database_url, env=in_a_thread(env))
    their.project.revision("a1")
    with pytest.raises(alembic_boot.ConfigurationError, match="changes the database itself"):
        alembic_boot.status(their.project.folder, database_url)
    assert relations(cluster, database) == []


def in_thread(ask: Callable[[], bool]) -> bool:
    """Return what a thread is answered that this one starts."""
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(ask()))
    thread.start()
    thread.join()
    return answers[0]


def test_whose_threads() -> None:
    """A thread belongs to the call whose code started it, and only while the call runs."""
    go, asks = threading.Event(), threading.Event()
    found: dict[str, bool] = {}

    def beside() -> None:
        go.wait(10)
        found["beside"] = in_thread(is_ours)
        asks.set()

    application = threading.Thread(target=beside)
    application.start()
    start = threading.Thread.start
    with own_call():
        is_ours = own_work()
        assert is_ours()
        assert in_thread(is_ours)
        assert in_thread(lambda: in_thread(is_ours))
        go.set()
        asks.wait(10)
    application.join()
    assert found == {"beside": False}
    assert not is_ours()
    assert threading.Thread.start is start


def test_calls_that_overlap_leave_threads_as_they_were() -> None:
    """Whichever call ends first, threads start as before when the last one has ended."""
    start = threading.Thread.start
    first, second = copy_context(), copy_context()
    calls = own_call(), own_call()
    for context, call in zip((first, second), calls, strict=True):
        context.run(call.__enter__)
    for context, call in zip((first, second), calls, strict=True):
        context.run(call.__exit__, None, None, None)
    assert threading.Thread.start is start
