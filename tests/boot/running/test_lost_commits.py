"""The answer to a COMMIT, or to a statement that commits itself, never comes."""

import threading

import pytest
from alembic.runtime.migration import MigrationContext
from sqlalchemy import NullPool, create_engine

from alembic_boot.environment.session import MigrationSession
from alembic_boot.postgres.urls import parse_database_url
from alembic_boot.running import lock, lost_answer
from alembic_boot.running.lost_answer import LIMIT, Silence
from tests.boot.in_process import MakeScene, Run
from tests.cluster import Cluster
from tests.proxy import Proxy
from tests.scenarios.envs import DRIVERS, ONE_TRANSACTION_ENV
from tests.scenarios.process import Finished
from tests.scenarios.scene import AUTOCOMMIT, IN_DOUBT, MAKE_TABLE, Scene, step

pytestmark = pytest.mark.slow

HEARTBEAT = "SHOW transaction_isolation"
"""The look at the lock."""

IS_B2 = "SELECT version_num = 'b2' FROM alembic_version"


def start_losing(
    scene: Scene[Run],
    lost: str,
    is_done: str,
    *,
    at: str,
    is_mute_afterwards: bool = False,
    stays_open: bool = False,
) -> Finished:
    """Migrate; reset the connection of a statement when the server has run it.

    If the connection `stays_open`, only the answer is lost.

    `is_done` is true then. Before, the connection has said `at`. `is_mute_afterwards` resets all
    other connections as well, but not that of the lock.
    """
    at_work: set[int] = set()
    is_lost = False

    def before(_number: int, statement: str) -> None:
        if at in statement:
            at_work.add(threading.get_ident())  # each connection has a thread of the proxy
        if is_lost and is_mute_afterwards and statement != HEARTBEAT:
            proxy.drop_this()

    def after(_number: int, statement: str) -> None:
        nonlocal is_lost
        if is_lost or lost not in statement or threading.get_ident() not in at_work:
            return
        scene.wait_until(is_done)
        is_lost = True
        if is_mute_afterwards:
            proxy.refuse()
        if stays_open:
            proxy.silence_this()
        else:
            proxy.drop_this()

    with Proxy(scene.cluster.port, on_query=before, after_query=after) as proxy:
        finished = scene.start(proxy.port).finish()
    assert is_lost
    return finished


AT_B2, AT_FIRST = "VALUES ('b2'", "VALUES ('first'"

REVISION = f"{MAKE_TABLE}\n{step('b2')}"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an answer take half a second."""
    monkeypatch.setattr(lost_answer, "LIMIT", 0.5)
    monkeypatch.setattr(lock, "_HEARTBEAT", 0.1)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("stays_open", [False, True], ids=["reset", "open"])
@pytest.mark.parametrize("env", DRIVERS.values(), ids=DRIVERS.keys())
def test_the_answer_to_a_commit(
    cluster: Cluster, make_scene: MakeScene, env: str, stays_open: bool
) -> None:
    """The database is asked, and has the revision; no starter waits for ever."""
    scene = make_scene(cluster, REVISION, env)
    start_losing(scene, "COMMIT", IS_B2, at=AT_B2, stays_open=stays_open).assert_failed(
        5,
        "Migration b2 Foreign b2 failed: …. The database is at b2 now: it was committed. "
        "Start again.",
    )
    assert scene.statuses() == ["a1 applied", "b2 applied", "c3 failed"]
    assert scene.errors() == ["It had not begun. The commit before it was not confirmed."]
    scene.start().finish().assert_ok()
    scene.assert_complete()


@pytest.mark.parametrize("env", DRIVERS.values(), ids=DRIVERS.keys())
def test_no_session_can_be_asked(cluster: Cluster, make_scene: MakeScene, env: str) -> None:
    """The failure claims nothing about the commit."""
    scene = make_scene(cluster, REVISION, env)
    start_losing(scene, "COMMIT", IS_B2, at=AT_B2, is_mute_afterwards=True).assert_failed(
        5,
        "Migration b2 Foreign b2 failed: …. The database cannot be asked where it is now; "
        "it is not known whether the COMMIT has succeeded; the next start finds out. Start again.",
    )
    assert scene.statuses() == ["a1 applied", "b2 applied", "c3 running"]
    scene.start().finish().assert_ok()
    scene.assert_complete()


IS_C3 = "SELECT to_regclass('alembic_version') IS NOT NULL"


@pytest.mark.parametrize(
    ("is_mute", "said"),
    [
        (False, "The database is at c3 now: it was committed. Start again."),
        (
            True,
            "The database cannot be asked where it is now; it is not known whether the COMMIT has "
            "succeeded; the next start finds out. Start again.",
        ),
    ],
    ids=["asked", "not asked"],
)
def test_the_commit_of_env_py(
    cluster: Cluster, make_scene: MakeScene, is_mute: bool, said: str
) -> None:
    """It commits all revisions at once."""
    scene = make_scene(cluster, REVISION, ONE_TRANSACTION_ENV)
    finished = start_losing(scene, "COMMIT", IS_C3, at="t_c3", is_mute_afterwards=is_mute)
    finished.assert_failed(5, f"Alembic's env.py failed: …. {said}")
    assert scene.statuses() == ["a1 applied", "b2 applied", "c3 applied"]
    scene.start().finish().assert_ok()
    scene.assert_complete()


LEFT = f"The database is at a1 now. {lock.IN_DOUBT} Start again."


def test_a_statement_that_commits_itself(cluster: Cluster, make_scene: MakeScene) -> None:
    """It may have run; the next start knows that from the journal."""
    scene = make_scene(cluster, AUTOCOMMIT)
    start_losing(scene, "'first'", "SELECT count(*) = 1 FROM steps", at=AT_FIRST).assert_failed(
        5, f"Migration b2 Foreign b2 failed: …server closed the connection unexpectedly. {LEFT}"
    )
    scene.start().finish().assert_failed(5, IN_DOUBT)


@pytest.mark.parametrize(
    "commit", ['op.execute("COMMIT")', "op.get_bind().commit()"], ids=["SQL", "SQLAlchemy"]
)
def test_a_commit_of_the_revision_itself(
    cluster: Cluster, make_scene: MakeScene, commit: str
) -> None:
    """The same holds for it."""
    scene = make_scene(cluster, f"{step('first')}\n{commit}\n{MAKE_TABLE}")
    start_losing(scene, "COMMIT", "SELECT count(*) = 1 FROM steps", at=AT_FIRST).assert_failed(
        5, f"Migration b2 Foreign b2 failed: …. {LEFT}"
    )
    scene.start().finish().assert_failed(5, IN_DOUBT)


@pytest.mark.usefixtures("impatient")
def test_only_the_answer_to_env_py_is_lost(cluster: Cluster, make_scene: MakeScene) -> None:
    """The same, of its own COMMIT."""
    scene = make_scene(cluster, REVISION, ONE_TRANSACTION_ENV)
    start_losing(scene, "COMMIT", IS_C3, at="t_c3", stays_open=True).assert_failed(
        5, "Alembic's env.py failed: …. The database is at c3 now: it was committed. Start again."
    )
    scene.start().finish().assert_ok()
    scene.assert_complete()


@pytest.mark.usefixtures("impatient")
def test_only_the_answer_to_a_statement_is_lost(cluster: Cluster, make_scene: MakeScene) -> None:
    """The same, of a statement that commits itself."""
    scene = make_scene(cluster, AUTOCOMMIT)
    is_done = "SELECT count(*) = 1 FROM steps"
    start_losing(scene, "'first'", is_done, at=AT_FIRST, stays_open=True).assert_failed(
        5, f"Migration b2 Foreign b2 failed: …. {LEFT}"
    )


@pytest.mark.usefixtures("impatient")
def test_only_the_answer_in_a_transaction_is_lost(cluster: Cluster, make_scene: MakeScene) -> None:
    """The transaction and its locks end, too."""
    scene = make_scene(cluster, REVISION)
    start_losing(scene, "'b2'", "SELECT true", at=AT_B2, stays_open=True).assert_failed(
        5, "Migration b2 Foreign b2 failed: …. The database is at a1 now; …was rolled back. …"
    )
    scene.start().finish().assert_ok()
    scene.assert_complete()


@pytest.mark.usefixtures("impatient")
def test_a_long_statement_and_a_long_pause(cluster: Cluster, make_scene: MakeScene) -> None:
    """A server that works is waited for, and a revision may do something else meanwhile."""
    sleep = 'op.execute("SELECT pg_sleep(1.2)")'
    pause = "__import__('threading').Event().wait(1.2)"
    block = f"with op.get_context().autocommit_block():\n    {sleep}\n    {pause}\n"
    scene = make_scene(cluster, f"{sleep}\n{pause}\n{block}{REVISION}")
    scene.start().finish().assert_ok()
    scene.assert_complete()


LOOKS = {
    "it works, or nobody waits": ([(0, None), (99, None)], [False, False]),
    "a short silence": ([(0, "x"), (LIMIT - 1, "x")], [False, False]),
    "too long a silence": ([(0, "x"), (2, "x"), (LIMIT, "x")], [False, False, True]),
    "another statement": ([(0, "x"), (9, "y"), (LIMIT, "y")], [False, False, False]),
    "an answer in between": ([(0, "x"), (9, None), (LIMIT, "x")], [False, False, False]),
    "a suspended client": ([(0, None), (99, "x"), (100, "x")], [False, False, False]),
}


@pytest.mark.parametrize(("looks", "found"), LOOKS.values(), ids=LOOKS.keys())
def test_silences(looks: list[tuple[float, str | None]], found: list[bool]) -> None:
    """An answer is lost if each look for some seconds finds the same idle process."""
    silence = Silence()
    assert [silence.is_too_long(idle_since, now) for now, idle_since in looks] == found


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_the_pool_hears_of_a_lost_connection(
    cluster: Cluster, database_url: str, caplog: pytest.LogCaptureFixture, driver: str
) -> None:
    """Otherwise it rolls the connection back, and logs a traceback about that."""
    engine = create_engine(parse_database_url(database_url).for_driver(driver), poolclass=NullPool)
    with pytest.raises(engine.dialect.loaded_dbapi.Error), engine.connect() as connection:
        session = MigrationSession(MigrationContext.configure(connection))
        [pid] = session.ask("SELECT pg_backend_pid()")
        cluster.query(f"SELECT pg_terminate_backend({pid}, 10000)")
        session.settle()
    assert "Exception during reset" not in caplog.text
