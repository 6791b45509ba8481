"""Migrations on a server whose timeouts are made for an application."""

from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.boot.in_process import MakeScene
from tests.cluster import Cluster
from tests.scenarios.envs import DRIVERS

pytestmark = pytest.mark.slow

TIMEOUTS = (
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "transaction_timeout",
)

PAUSE = "import time\ntime.sleep(0.6)\n"
"""Longer than any of them."""

WORK = f"""
{PAUSE}
op.execute("SELECT pg_sleep(0.6)")
op.execute("CREATE TABLE t_b2 (id int)")
{PAUSE}
"""

BLOCK = f"""
with op.get_context().autocommit_block():
    import time
    time.sleep(0.6)
    op.execute("SELECT pg_sleep(0.6)")
    op.execute("CREATE TABLE t_b2 (id int)")
    time.sleep(0.6)
{PAUSE}
"""


@pytest.mark.parametrize(
    ("where", "driver", "body"),
    [
        ("DATABASE {database}", "psycopg2", WORK),
        ("DATABASE {database}", "psycopg2", BLOCK),
        ("ROLE {role}", "psycopg", WORK),
        ("ROLE {role}", "asyncpg", BLOCK),
        ("ROLE {role} IN DATABASE {database}", "asyncpg", WORK),
    ],
)
def test_of_a_database_or_a_role(
    cluster: Cluster, make_scene: MakeScene, where: str, driver: str, body: str
) -> None:
    """They end neither the revision's session nor any that boot has beside it."""
    scene = make_scene(cluster, body, DRIVERS[driver])
    place = where.format(database=scene.database, role=scene.user)
    try:
        for name in TIMEOUTS:
            cluster.execute(f"ALTER {place} SET {name} = '300ms'")
        scene.start().finish().assert_ok()
    finally:
        cluster.execute(f"ALTER {place} RESET ALL")
    scene.assert_complete()


def test_through_a_pooler(
    debian_cluster: Cluster, pgbouncer: Callable[[str], str], make_scene: MakeScene
) -> None:
    """Each transaction lifts them, and leaves the pooler's sessions as they were."""
    scene = make_scene(debian_cluster, WORK)
    for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
        debian_cluster.execute(f"ALTER DATABASE {scene.database} SET {name} = '300ms'")
    scene.start(url=pgbouncer(scene.database)).finish().assert_ok()
    scene.assert_complete()


def test_adoption(cluster: Cluster, make_scene: MakeScene) -> None:
    """A replay takes as long as it takes, and so does reading the schemas."""
    scene = make_scene(cluster, WORK)
    scene.start(MIGRATION_TARGET="b2").finish().assert_ok()
    cluster.execute("DROP TABLE alembic_version, schema_journal", scene.database)
    for name in TIMEOUTS:
        cluster.execute(f"ALTER DATABASE {scene.database} SET {name} = '300ms'")
    scene.start().finish().assert_ok()
    assert scene.query("SELECT revision, direction FROM schema_journal ORDER BY id") == [
        ("b2", "stamp"),
        ("c3", "upgrade"),
    ]


SET = "op.execute(\"SET LOCAL {} = '300ms'\")\n"
BY_REVISION = "A revision or env.py sets it: set it higher there, or leave it out."


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg", "asyncpg"])
@pytest.mark.parametrize(
    ("name", "body", "what"),
    [
        ("statement_timeout", 'op.execute("SELECT pg_sleep(9)")', "statement"),
        ("idle_in_transaction_session_timeout", f'{PAUSE}op.execute("SELECT 1")', "session"),
        ("transaction_timeout", 'op.execute("SELECT pg_sleep(9)")', "session"),
    ],
)
def test_that_a_revision_sets(
    cluster: Cluster, make_scene: MakeScene, driver: str, name: str, body: str, what: str
) -> None:
    """It stands, and the failure names it, with its value and who sets it."""
    env = DRIVERS[driver]
    scene = make_scene(cluster, SET.format(name) + body, env)
    scene.start().finish().assert_failed(5, f"…{name} (300 ms) ended the {what}. {BY_REVISION}")
    scene.assert_at_first()


def test_that_an_earlier_revision_sets(cluster: Cluster, make_scene: MakeScene) -> None:
    """What is set for the session goes on to the next revisions, and is named there."""
    scene = make_scene(cluster, "op.execute(\"SET statement_timeout = '300ms'\")")
    scene.foreign.revision("d4", "c3", 'op.execute("SELECT pg_sleep(9)")')
    scene.start().finish().assert_failed(
        5, f"Migration d4 …statement_timeout (300 ms) ended the statement. {BY_REVISION}"
    )


def test_that_an_earlier_revision_sets_for_itself(cluster: Cluster, make_scene: MakeScene) -> None:
    """What is set for a transaction ends with it: a later revision is ended by others."""
    scene = make_scene(cluster, SET.format("statement_timeout"))
    ended = 'op.execute("SELECT pg_sleep(0.4), pg_cancel_backend(pg_backend_pid())")'
    scene.foreign.revision("d4", "c3", ended)
    finished = scene.start().finish()
    finished.assert_failed(5, "Migration d4 …")
    finished.assert_never_says("…timeout…")


def test_that_a_url_sets(cluster: Cluster, make_scene: MakeScene) -> None:
    """It is meant for migrations, where it stands in their URL."""
    scene = make_scene(cluster, 'op.execute("SELECT pg_sleep(9)")')
    options = quote("-c statement_timeout=700", safe="")
    url = f"{cluster.url(scene.database)}?options={options}"
    scene.start(url=url).finish().assert_failed(
        5,
        "…statement_timeout (700 ms) ended the statement. The URL or PGOPTIONS sets it: leave it "
        "out there, or set it higher.",
    )


def test_that_nobody_set(cluster: Cluster, make_scene: MakeScene) -> None:
    """A session that an administrator ends is not said to have met a timeout."""
    body = (
        "op.execute(\"SET LOCAL idle_in_transaction_session_timeout = '60s'\")\n"
        'op.execute("SELECT pg_terminate_backend(pg_backend_pid())")'
    )
    scene = make_scene(cluster, body)
    finished = scene.start().finish()
    finished.assert_failed(5, "…Start again.")
    finished.assert_never_says("…timeout…")
