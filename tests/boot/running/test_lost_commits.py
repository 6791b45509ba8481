"""The answer to a COMMIT, or to a statement that commits itself, never comes."""

import threading

import pytest

from alembic_boot.running import lock
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
    scene: Scene[Run], lost: str, is_done: str, *, at: str, is_mute_afterwards: bool = False
) -> Finished:
    """Migrate; reset the connection of a statement when the server has run it.

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
        proxy.drop_this()

    with Proxy(scene.cluster.port, on_query=before, after_query=after) as proxy:
        finished = scene.start(proxy.port).finish()
    assert is_lost
    return finished


AT_B2, AT_FIRST = "VALUES ('b2'", "VALUES ('first'"

REVISION = f"{MAKE_TABLE}\n{step('b2')}"


@pytest.mark.parametrize("env", DRIVERS.values(), ids=DRIVERS.keys())
def test_the_answer_to_a_commit(cluster: Cluster, make_scene: MakeScene, env: str) -> None:
    """The database is asked, and has the revision."""
    scene = make_scene(cluster, REVISION, env)
    start_losing(scene, "COMMIT", IS_B2, at=AT_B2).assert_failed(
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


IS_C3 = "SELECT EXISTS (SELECT FROM alembic_version WHERE version_num = 'c3')"


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
