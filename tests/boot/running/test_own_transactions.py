"""Revisions that end their transaction themselves: what is said is what is so."""

import pytest

from tests.boot.in_process import MakeScene, Run
from tests.cluster import Cluster
from tests.scenarios.envs import (
    DRIVERS,
    ONE_TRANSACTION_ENV,
)
from tests.scenarios.process import (
    FOREIGN_ENV,
    relations,
    revisions,
)
from tests.scenarios.scene import MAKE_TABLE, Scene

pytestmark = pytest.mark.slow


WARNING = "A revision ended its transaction itself: …"


LEAVES = {
    "SQL": 'op.execute("COMMIT")',
    "SQL, and goes on": 'op.execute("COMMIT")\nop.execute("SELECT 1")',
    "bind": "op.get_bind().commit()",
    "bind, and goes on": 'op.get_bind().commit()\nop.execute("SELECT 1")',
    "bind, and begins": (
        'op.get_bind().commit()\nwith op.get_bind().begin():\n    op.execute("SELECT 1")'
    ),
    "session": (
        "from sqlalchemy.orm import Session\n"
        'with Session(op.get_bind(), join_transaction_mode="control_fully") as session:\n'
        '    session.execute(sa.text("SELECT 1"))\n'
        "    session.commit()"
    ),
}
"""Ways to commit what a revision has done so far."""


BREAKING = 'op.execute("CREATE TABLE t_c3 (id int)")\nop.execute("SELECT 1 / 0")'


def break_last(scene: Scene[Run], *, whole: bool = False) -> None:
    """Let the third revision fail after it has done something; with `whole`, fix it again."""
    (path,) = scene.foreign.versions.glob("c3*.py")
    path.unlink()
    scene.foreign.revision("c3", "b2", None if whole else BREAKING)


@pytest.mark.parametrize(
    ("driver", "leave"), [("psycopg2", "SQL"), *(("asyncpg", leave) for leave in LEAVES)]
)
def test_the_next_one_is_not_drawn_in(
    cluster: Cluster, make_scene: MakeScene, driver: str, leave: str
) -> None:
    """What is said to be applied is, for good; what fails then is taken back as a whole.

    The other drivers, which need no event loop, are tried in one process: the loop's own tests.
    """
    scene = make_scene(cluster, f"{MAKE_TABLE}\n{LEAVES[leave]}", DRIVERS[driver])
    break_last(scene)
    first = scene.start()
    failed = first.finish()
    failed.assert_failed(5, "Migration c3 … The database is at b2 now; …")
    failed.assert_says(WARNING)
    assert relations(cluster, scene.database) == ["alembic_version", "pace", "steps", "t_b2"]
    assert scene.statuses() == ["a1 applied", "b2 applied", "c3 failed"]
    break_last(scene, whole=True)
    again = scene.start().finish()
    again.assert_ok()
    again.assert_never_says("…died…")
    scene.assert_complete()


@pytest.mark.parametrize(
    "roll_back",
    [
        'op.execute("ROLLBACK")',
        "op.get_bind().rollback()",
        'op.get_bind().rollback()\nop.execute("SELECT 1")',
        "from sqlalchemy.orm import Session\nsession = Session(op.get_bind())\n"
        'session.execute(sa.text("SELECT 1"))\nsession.rollback()',
    ],
    ids=["SQL", "bind", "bind, and goes on", "session"],
)
def test_what_was_undone_is_not_applied(
    cluster: Cluster, make_scene: MakeScene, roll_back: str
) -> None:
    """A revision that takes its own work back has not been applied, whatever it returns."""
    scene = make_scene(cluster, f"{MAKE_TABLE}\n{roll_back}", DRIVERS["asyncpg"])
    first = scene.start()
    finished = first.finish()
    finished.assert_failed(5, "Migration b2 Foreign b2 failed: it rolled back its own transaction…")
    scene.assert_at_first()
    assert scene.statuses() == ["a1 applied", "b2 failed"]


def test_what_runs_after_a_rollback_stays(cluster: Cluster, make_scene: MakeScene) -> None:
    """PostgreSQL commits it statement by statement: nobody is told that it was rolled back."""
    scene = make_scene(cluster, f'op.execute("ROLLBACK")\n{MAKE_TABLE}')
    finished = scene.start().finish()
    finished.assert_failed(
        5,
        "Migration b2 Foreign b2 failed: it rolled back its own transaction… may be "
        "committed: look, and take it back by hand before you start again. …",
    )
    assert "t_b2" in relations(cluster, scene.database)


def test_failing_after_the_commit(cluster: Cluster, make_scene: MakeScene) -> None:
    """That not all is taken back is said also where the revision fails."""
    body = f'{MAKE_TABLE}\nop.execute("COMMIT")\nop.execute("SELECT 1 / 0")'
    scene = make_scene(cluster, body)
    finished = scene.start().finish()
    finished.assert_failed(5, "Migration b2 …")
    finished.assert_says(WARNING)
    assert "t_b2" in relations(cluster, scene.database)


@pytest.mark.parametrize(
    "setting", ["timezone TO 'Asia/Kathmandu'", "datestyle TO 'German'", "bytea_output TO 'escape'"]
)
@pytest.mark.parametrize("env", [FOREIGN_ENV, ONE_TRANSACTION_ENV], ids=["each", "one unit"])
def test_a_setting_ends_no_transaction(
    cluster: Cluster, make_scene: MakeScene, env: str, setting: str
) -> None:
    """How a session writes the time does not decide what is committed."""
    scene = make_scene(cluster, f'{MAKE_TABLE}\nop.execute("SET LOCAL {setting}")', env)
    break_last(scene)
    finished = scene.start().finish()
    finished.assert_failed(5, "Migration c3 …")
    finished.assert_never_says("…ended its transaction…")
    found = relations(cluster, scene.database)
    assert "t_c3" not in found
    assert ("t_b2" in found) == (env is FOREIGN_ENV)
    break_last(scene, whole=True)
    scene.start().finish().assert_ok()
    scene.assert_complete()


def test_leaving_one_unit(cluster: Cluster, make_scene: MakeScene) -> None:
    """Where a revision ends env.py's own transaction, the later ones get one each."""
    scene = make_scene(cluster, f'{MAKE_TABLE}\nop.execute("COMMIT")', ONE_TRANSACTION_ENV)
    break_last(scene)
    first = scene.start()
    finished = first.finish()
    finished.assert_failed(5, "Migration c3 … The database is at b2 now; …")
    finished.assert_says(WARNING)
    assert "t_c3" not in relations(cluster, scene.database)
    assert scene.statuses() == ["a1 applied", "b2 applied", "c3 failed"]
    break_last(scene, whole=True)
    scene.start().finish().assert_ok()
    scene.assert_complete()


def test_committing_one_unit_through_sqlalchemy(cluster: Cluster, make_scene: MakeScene) -> None:
    """The connection takes no more then, which is said; what was committed is journalled so."""
    scene = make_scene(cluster, f"{MAKE_TABLE}\nop.get_bind().commit()", ONE_TRANSACTION_ENV)
    first = scene.start()
    finished = first.finish()
    finished.assert_failed(5, "Migration b2 Foreign b2 failed: it committed …")
    assert scene.statuses() == ["a1 applied", "b2 failed"]
    assert revisions(cluster, scene.database) == ["a1"]


LATE_UNIT_ENV = FOREIGN_ENV.replace("with context.begin_transaction():", "with connection.begin():")


def test_a_transaction_opened_after_configuring(cluster: Cluster, make_scene: MakeScene) -> None:
    """It is env.py's own, as one that was opened before: all revisions or none are applied."""
    scene = make_scene(cluster, MAKE_TABLE, LATE_UNIT_ENV)
    break_last(scene)
    scene.start().finish().assert_failed(5, "Migration c3 … The database is at base now; …")
    assert "t_b2" not in relations(cluster, scene.database)
    break_last(scene, whole=True)
    finished = scene.start().finish()
    finished.assert_ok()
    finished.assert_says("…all revisions are applied together, or none")
    scene.assert_complete()


@pytest.mark.parametrize("local", ["LOCAL ", ""], ids=["local", "session"])
@pytest.mark.parametrize("env", [FOREIGN_ENV, LATE_UNIT_ENV], ids=["each", "one unit"])
def test_what_env_py_sets_in_its_transaction(
    cluster: Cluster, make_scene: MakeScene, env: str, local: str
) -> None:
    """It holds for every revision, although each has a transaction of its own."""
    said = (
        "\n        from sqlalchemy import text"
        f"\n        connection.execute(text('SET {local}search_path TO tenant'))"
        f"\n        connection.execute(text('SET {local}lock_timeout TO 7000'))"
        f"\n        connection.execute(text('SET {local}ROLE other_role'))"
        "\n        context.run_migrations()"
    )
    env = env.replace("\n        context.run_migrations()", said)
    scene = make_scene(cluster, f"{MAKE_TABLE}\nassert_timeout()", env)
    (path,) = scene.foreign.versions.glob("b2*.py")
    path.write_text(
        path.read_text()
        + "\n\ndef assert_timeout():\n"
        + "    found = op.get_bind().execute(sa.text('SHOW lock_timeout')).scalar()\n"
        + "    assert found == '7s', found\n"
    )
    owner = scene.user
    cluster.execute(
        "DO $$ BEGIN CREATE ROLE other_role; EXCEPTION WHEN duplicate_object THEN END $$;"
        f"GRANT other_role TO {owner}; CREATE SCHEMA tenant AUTHORIZATION {owner};"
        "GRANT ALL ON SCHEMA tenant TO other_role",
        scene.database,
    )
    try:
        scene.start().finish().assert_ok()
        rows = cluster.query(
            "SELECT tablename, tableowner FROM pg_tables WHERE schemaname = 'tenant' ORDER BY 1",
            scene.database,
        )
        assert [str(name) for name, _ in rows] == [
            *("alembic_version", "pace", "schema_journal", "steps", "t_b2", "t_c3")
        ]
        assert {str(role) for name, role in rows if str(name).startswith("t_")} == {"other_role"}
        again = scene.start().finish()
        again.assert_ok()
        again.assert_says("…(already up to date)")
    finally:
        cluster.execute("DROP OWNED BY other_role", scene.database)
