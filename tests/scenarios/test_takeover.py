"""Who loses the lock in the middle of its work changes nothing more, and the next one goes on.

A starter may be suspended and continued, killed or cut off, and the server may be restarted under
it. What it was at is made good by the next start, once, and the journal says who did what. What
one process shows is in tests/boot/running/test_lost_sessions.py.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM
from tempfile import TemporaryDirectory

import pytest

from tests.cluster import OWNER, Cluster, running_cluster
from tests.proxy import Proxy
from tests.scenarios.process import (
    DEADLINE,
    FOREIGN_ENV,
    matches,
)
from tests.scenarios.scene import (
    AUTOCOMMIT,
    IN_COMMIT,
    IN_DOUBT,
    LOST,
    MAKE_TABLE,
    SOON,
    WAITING,
    Hold,
    MakeScene,
    assert_beaten,
    follow_advice,
    gate_of,
    step,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[Cluster]:
    """Give a server that a test may stop and start."""
    memory = Path("/dev/shm")
    folder = str(memory) if memory.is_dir() else None
    with (
        TemporaryDirectory(prefix="postgres-of-tests-", dir=folder) as name,
        running_cluster(Path(name) / "data", 18) as cluster,
    ):
        # Else a server that is stopped at once has lost what it had just committed.
        cluster.execute(f"ALTER ROLE {OWNER} SET synchronous_commit = on")
        yield cluster


@pytest.mark.parametrize("is_waiting", [True, False], ids=["in a statement", "between statements"])
def test_suspended_in_a_revision(cluster: Cluster, make_scene: MakeScene, is_waiting: bool) -> None:
    """The session of one that is suspended is ended; continued, it changes nothing."""
    scene = make_scene(cluster, WAITING)
    with gate_of(scene) as gate:
        first = scene.start()
        backend = gate.wait_for(first)
        first.signal(SIGSTOP)
        if not is_waiting:
            gate.open()
            scene.wait_until(
                f"SELECT state = 'idle in transaction' FROM pg_stat_activity WHERE pid = {backend}"
            )
        scene.end_lock_session()
        second = scene.start()
        second.wait_for("A starter died during a migration (…): waiting for the end of its session")
        second.wait_for(f"Ended the session of the dead starter (backend {backend})")
        gate.open()
        second.finish(SOON).assert_ok()
        first.signal(SIGCONT)
        assert_beaten(first.finish())
    scene.assert_complete()
    assert scene.journal(first=first, second=second) == [
        "a1 applied first",
        "b2 failed first",
        "b2 applied second",
        "c3 applied second",
    ]
    assert matches(scene.errors()[0], "Its starter died; host …, process … went on.")
    assert scene.steps() == [("b2", scene.backend_of(second))]


@dataclass(frozen=True)
class Pause:
    """Where a starter is suspended, and what becomes of its work and of the next one's."""

    body: str
    patterns: tuple[str, ...]
    journal: tuple[str, ...]
    steps: tuple[tuple[str, str], ...]
    is_in_doubt: bool = False
    """Whether the second one finds it half done, and does not go on before somebody has looked."""


AT_B2 = ("a1 applied first", "b2 failed first", "b2 applied second", "c3 applied second")


AFTER_B2 = ("a1 applied first", "b2 applied first", "c3 failed first", "c3 applied second")
"""The row of c3 is written together with that of b2, though c3 had not begun."""

B2_MOVES = "…SET version_num = E'b2'…"
"""The statement that moves the version, says that b2 is applied, and that c3 is next."""


PAUSES = {
    "before BEGIN": Pause(
        step("b2") + "\n" + MAKE_TABLE,
        (B2_MOVES, "BEGIN"),
        AFTER_B2,
        (("b2", "first"),),
    ),
    "before the version moves": Pause(
        step("b2") + "\n" + MAKE_TABLE,
        (B2_MOVES,),
        AT_B2,
        (("b2", "second"),),
    ),
    "before COMMIT": Pause(
        step("b2") + "\n" + MAKE_TABLE,
        (B2_MOVES, "COMMIT"),
        AT_B2,
        (("b2", "second"),),
    ),
    "before the look at the lock in an autocommit block": Pause(
        AUTOCOMMIT,
        ("…INSERT INTO steps…'first'…", "SELECT NOT pg_try_advisory_xact_lock…"),
        ("a1 applied first", "b2 applied third", "c3 applied third"),
        (("first", "third"), ("second", "third")),
        is_in_doubt=True,
    ),
    "between two statements of an autocommit block": Pause(
        AUTOCOMMIT,
        ("…INSERT INTO steps…'second'…",),
        ("a1 applied first", "b2 applied third", "c3 applied third"),
        (("first", "third"), ("second", "third")),
        is_in_doubt=True,
    ),
}


@pytest.mark.parametrize(
    ("version", "pause"),
    [
        pytest.param((16, 18)[number % 2], pause, id=name)
        for number, (name, pause) in enumerate(PAUSES.items())
    ],
)
def test_suspended_at_a_statement(
    cluster_of: Callable[[int], Cluster], make_scene: MakeScene, version: int, pause: Pause
) -> None:
    """Wherever one is suspended, what it does when continued is undone or never done."""
    cluster = cluster_of(version)
    scene = make_scene(cluster, pause.body)
    hold = Hold(*pause.patterns)
    with Proxy(cluster.port, on_query=hold) as proxy:
        try:
            first = scene.start(proxy.port)
            hold.wait_for(first)
            backend = scene.backend_of(first)
            scene.end_lock_session()
            second = last = scene.start()
            if pause.is_in_doubt:
                second.finish(SOON).assert_failed(5, IN_DOUBT)
                follow_advice(scene)
                last = scene.start()
            last.finish(SOON).assert_ok()
            scene.assert_complete()
            first.signal(SIGCONT)
            hold.release()
            assert_beaten(first.finish())
        finally:
            hold.release()
    scene.assert_complete()
    name = "third" if pause.is_in_doubt else "second"
    assert scene.journal(first=first, **{name: last}) == list(pause.journal)
    sessions = {backend: "first", scene.backend_of(last): name}
    assert [(name, sessions[int(str(pid))]) for name, pid in scene.steps()] == list(pause.steps)


def test_lock_lost_in_a_statement(cluster: Cluster, make_scene: MakeScene) -> None:
    """One whose lock is gone ends by itself, long before the statement would, and undoes it."""
    scene = make_scene(cluster, WAITING)
    with gate_of(scene) as gate:
        first = scene.start()
        backend = gate.wait_for(first)
        scene.end_lock_session()
        first.finish().assert_failed(5, LOST)
        scene.wait_for_end(backend)
        scene.assert_at_first()
    assert scene.journal(first=first) == ["a1 applied first", "b2 failed first"]
    assert scene.errors() == [LOST]
    second = scene.start()
    second.finish().assert_ok()
    scene.assert_complete()


def test_lock_lost_at_a_commit(cluster: Cluster, make_scene: MakeScene) -> None:
    """The server may have committed what nobody heard of: that is not said to be undone."""
    scene = make_scene(cluster, f"{step('b2')}\n{MAKE_TABLE}")
    moved = threading.Event()

    def cut(_number: int, statement: str) -> None:
        if "version_num = E'b2'" in statement:
            moved.set()
        elif statement == "COMMIT" and moved.is_set():
            scene.wait_until("SELECT to_regclass('t_b2') IS NOT NULL")
            proxy.drop()

    with Proxy(cluster.port) as proxy:
        proxy.after_query = cut
        scene.start(proxy.port).finish(SOON).assert_failed(5, IN_COMMIT)
    scene.start().finish().assert_ok()
    scene.assert_complete()
    assert len(scene.steps()) == 1


def test_lock_lost_where_the_network_forgot_the_revision(
    cluster: Cluster, make_scene: MakeScene
) -> None:
    """A session that the server keeps, because nobody told it of the end, is ended by the next.

    Only env.py's way to the server is cut: boot itself can still write the journal.
    """
    env = FOREIGN_ENV.replace(
        "config = context.config",
        'import os\nconfig = context.config\nconfig.set_main_option("sqlalchemy.url",'
        ' os.environ["URL_OF_ENV"])',
    )
    scene = make_scene(cluster, WAITING, env)
    with gate_of(scene) as gate, Proxy(cluster.port) as proxy:
        first = scene.start(URL_OF_ENV=cluster.url(scene.database, port=proxy.port))
        backend = gate.wait_for(first)
        proxy.blackhole()
        gate.open()
        scene.wait_until(
            f"SELECT state = 'idle in transaction' FROM pg_stat_activity WHERE pid = {backend}"
        )
        scene.end_lock_session()
        assert_beaten(first.finish())
        second = scene.start(URL_OF_ENV=cluster.url(scene.database))
        second.finish(SOON).assert_ok()
    scene.assert_complete()
    assert scene.steps() == [("b2", scene.backend_of(second))]


PACE = "SELECT pg_sleep((SELECT seconds FROM pace))"


SLOW = {
    "in a transaction": f'{MAKE_TABLE}\nop.execute("{PACE}")\n{step("b2")}',
    "in an autocommit statement": """
with op.get_context().autocommit_block():
    op.execute('''
        DO $$ BEGIN
            PERFORM pg_sleep((SELECT seconds FROM pace));
            CREATE TABLE IF NOT EXISTS t_b2 (id int PRIMARY KEY);
            INSERT INTO steps (name, backend) VALUES ('b2', pg_backend_pid());
        END $$
    ''')
""",
    "before an autocommit statement": f"""
with op.get_context().autocommit_block():
    op.execute("{PACE}")
    {step("b2")}
{MAKE_TABLE}
""",
}


@pytest.mark.parametrize("body", SLOW.values(), ids=SLOW.keys())
def test_killed_in_a_statement(cluster: Cluster, make_scene: MakeScene, body: str) -> None:
    """The next one does not wait for what a dead one's statement would take; nor does it count."""
    scene = make_scene(cluster, body)
    first = scene.start()
    scene.wait_until(
        "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        f" AND datname = '{scene.database}'"
    )
    backend = scene.backend_of(first)
    scene.query("UPDATE pace SET seconds = 0 RETURNING seconds")
    first.signal(SIGKILL)
    second = scene.start()
    if body is SLOW["in an autocommit statement"]:  # which may have been committed, for all we know
        second.finish(SOON).assert_failed(5, IN_DOUBT)
        scene.query("UPDATE schema_journal SET committed = NULL WHERE id = 2 RETURNING id")
        second = scene.start()
    second.finish(SOON).assert_ok()
    assert first.finish().status == -SIGKILL
    scene.wait_for_end(backend)
    scene.assert_complete()
    assert scene.journal(first=first, second=second) == list(AT_B2)
    assert scene.steps() == [("b2", scene.backend_of(second))]


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_server_restarted(own_cluster: Cluster, make_scene: MakeScene, mode: str) -> None:
    """A restart ends the starter in order; the next start goes on from the last commit."""
    scene = make_scene(own_cluster, WAITING)
    with gate_of(scene) as gate:
        first = scene.start()
        gate.wait_for(first)
        own_cluster.stop(mode)
        try:
            finished = first.finish()
        finally:
            own_cluster.start()
    assert_beaten(finished)
    scene.assert_at_first()
    second = scene.start()
    second.finish().assert_ok()
    scene.assert_complete()
    assert scene.journal(first=first, second=second) == list(AT_B2)


def test_network_dropped(cluster: Cluster, make_scene: MakeScene) -> None:
    """Connections that break in mid-migration end the starter; the next one goes on."""
    scene = make_scene(cluster, WAITING)
    with gate_of(scene) as gate, Proxy(cluster.port) as proxy:
        first = scene.start(proxy.port)
        backend = gate.wait_for(first)
        proxy.drop()
        assert_beaten(first.finish())
        scene.wait_for_end(backend)
        scene.assert_at_first()
    second = scene.start()
    second.finish().assert_ok()
    scene.assert_complete()
    assert scene.journal(first=first, second=second) == list(AT_B2)


def test_network_dropped_after_a_commit(cluster: Cluster, make_scene: MakeScene) -> None:
    """A commit whose answer never came is one all the same: the revision is not applied again."""
    scene = make_scene(cluster, f"{MAKE_TABLE}\n{step('b2')}")
    seen: list[str] = []

    def drop(_number: int, statement: str) -> None:
        seen.append(statement)
        moved = any("version_num = E'b2'" in text for text in seen)
        if statement == "COMMIT" and moved:
            scene.wait_until("SELECT version_num = 'b2' FROM alembic_version")
            proxy.drop()

    with Proxy(cluster.port, after_query=drop) as proxy:
        first = scene.start(proxy.port)
        first.finish().assert_failed(5, IN_COMMIT)
    second = scene.start()
    second.finish().assert_ok()
    scene.assert_complete()
    assert scene.journal(first=first, second=second) == list(AFTER_B2)


def test_answer_to_a_commit_lost(cluster: Cluster, make_scene: MakeScene) -> None:
    """Only that connection is lost: the database is asked over another one."""
    scene = make_scene(cluster, f"{MAKE_TABLE}\n{step('b2')}")
    at_work: set[int] = set()

    def drop(_number: int, statement: str) -> None:
        if "VALUES ('b2'" in statement:
            at_work.add(threading.get_ident())  # each connection has a thread of the proxy
        elif statement == "COMMIT" and threading.get_ident() in at_work:
            scene.wait_until("SELECT version_num = 'b2' FROM alembic_version")
            at_work.clear()
            proxy.drop_this()

    with Proxy(cluster.port, after_query=drop) as proxy:
        first = scene.start(proxy.port)
        first.finish(SOON).assert_failed(
            5,
            "Migration b2 Foreign b2 failed: …. The database is at b2 now: it was committed. "
            "Start again.",
        )
    second = scene.start()
    second.finish().assert_ok()
    scene.assert_complete()
    assert scene.journal(first=first, second=second) == list(AFTER_B2)


def test_network_mute(cluster: Cluster, make_scene: MakeScene) -> None:
    """A network that swallows everything does not hold a starter up for ever."""
    scene = make_scene(cluster, WAITING)
    with gate_of(scene) as gate, Proxy(cluster.port) as proxy:
        first = scene.start(proxy.port)
        gate.wait_for(first)
        proxy.blackhole()
        assert_beaten(first.finish(DEADLINE))
        scene.assert_at_first()
    second = scene.start()
    second.finish().assert_ok()
    scene.assert_complete()
    assert scene.journal(first=first, second=second) == list(AT_B2)


def test_host_vanished(cluster: Cluster, make_scene: MakeScene) -> None:
    """A host that is gone without a word, of which the server never hears, keeps no lock."""
    scene = make_scene(cluster, WAITING)
    with gate_of(scene) as gate, Proxy(cluster.port) as proxy:
        first = scene.start(proxy.port)
        backend = gate.wait_for(first)
        # What is under way in both directions has the proxy keep its connections to the server.
        is_said = threading.Event()
        proxy.blackhole()
        proxy.on_query = lambda _number, _statement: is_said.set()
        assert is_said.wait(DEADLINE)
        gate.open()
        scene.wait_until(
            f"SELECT state = 'idle in transaction' FROM pg_stat_activity WHERE pid = {backend}"
        )
        first.signal(SIGKILL)
        second = scene.start()
        second.finish().assert_ok()
    scene.assert_complete()
    assert scene.journal(first=first, second=second) == list(AT_B2)


def test_stopped_by_a_signal(cluster: Cluster, make_scene: MakeScene) -> None:
    """The journal says that a revision was stopped, and by what."""
    scene = make_scene(cluster, WAITING)
    with gate_of(scene) as gate:
        first = scene.start()
        gate.wait_for(first)
        first.signal(SIGTERM)
        first.finish().assert_failed(143, "Stopped by SIGTERM.")
        scene.assert_at_first()
    assert scene.journal(first=first) == ["a1 applied first", "b2 failed first"]
    [error] = scene.errors()
    assert "SIGTERM" in error
    second = scene.start()
    second.finish().assert_ok()
    scene.assert_complete()
