"""Behind a pooler all works as without it, or a sentence names the way around it."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import asyncpg.connection
import psycopg2
import pytest

from tests.boot.in_process import MakeScene
from tests.cluster import Cluster
from tests.pgbouncer import running_pgbouncer
from tests.scenarios.envs import (
    DRIVERS,
)
from tests.scenarios.process import (
    relations,
    revisions,
)
from tests.scenarios.scene import AUTOCOMMIT, MAKE_TABLE

pytestmark = pytest.mark.slow


CONCURRENT_INDEX = f"""
{MAKE_TABLE}
with op.get_context().autocommit_block():
    op.execute("CREATE INDEX CONCURRENTLY on_id ON t_b2 (id)")
"""


PAUSE = f'{MAKE_TABLE}\nop.execute("SELECT pg_sleep(3)")'


AROUND = (
    "A pooler stands in between: if it ends connections, or has fewer than three for boot, "
    "set MIGRATION_DATABASE_URL to the server itself."
)


HIDDEN_BLOCK = (
    'block = getattr(op.get_context(), "autocommit" + "_block")\n'
    'with block():\n    op.execute("SELECT 1")'
)
"""Its file does not tell."""


BLOCKED = "Set MIGRATION_DATABASE_URL to the server itself, and start again."


@pytest.mark.parametrize("body", [AUTOCOMMIT, CONCURRENT_INDEX], ids=["rows", "index"])
def test_autocommit_blocks(
    debian_cluster: Cluster,
    pgbouncer: Callable[[str], str],
    make_scene: MakeScene,
    body: str,
) -> None:
    """Nothing that they need can be set there: they are refused before anything changes."""
    scene = make_scene(debian_cluster, body)
    url = pgbouncer(scene.database)
    scene.start(url=url).finish().assert_failed(
        2,
        "Migration b2 Foreign b2 has an autocommit_block, and a pooler is between env.py and the "
        f"server. {BLOCKED}",
    )
    assert relations(debian_cluster, scene.database) == []
    direct = debian_cluster.url(scene.database)
    scene.start(url=url, MIGRATION_DATABASE_URL=direct).finish().assert_ok()
    scene.assert_complete()


@pytest.mark.parametrize(
    "leave",
    ['op.execute("COMMIT")', 'op.execute("/* now */ COMMIT")', HIDDEN_BLOCK],
    ids=["SQL", "SQL behind a comment", "a block of a helper"],
)
def test_leaving_a_transaction(
    debian_cluster: Cluster, pgbouncer: Callable[[str], str], make_scene: MakeScene, leave: str
) -> None:
    """It is refused when it happens, and the revision is rolled back."""
    scene = make_scene(debian_cluster, f'op.execute("SELECT 1")\n{leave}\n{MAKE_TABLE}')
    scene.start(url=pgbouncer(scene.database)).finish().assert_failed(
        2, f"The revision …, and a pooler is between env.py and the server. {BLOCKED}"
    )
    assert "t_b2" not in relations(debian_cluster, scene.database)
    assert revisions(debian_cluster, scene.database) == ["a1"]


@pytest.mark.parametrize(
    ("options", "status", "sentence"),
    [
        (
            {"default_pool_size": 2},
            5,
            "Alembic's env.py failed: … The database is at base now; … Start again.",
        ),
        (
            {"query_timeout": 2},
            5,
            "Migration b2 Foreign b2 failed: … The database is at a1 now; … Start again.",
        ),
    ],
    ids=["two connections", "a limit"],
)
def test_a_pooler_that_does_not_fit(
    tmp_path: Path,
    debian_cluster: Cluster,
    make_scene: MakeScene,
    options: dict[str, Any],
    status: int,
    sentence: str,
) -> None:
    """One that lends too few, or not for long, is named; around it all is well."""
    scene = make_scene(debian_cluster, PAUSE)
    with running_pgbouncer(tmp_path / "pgbouncer", debian_cluster.port, **options) as port:
        url = debian_cluster.url(scene.database, port=port)
        scene.start(url=url).finish().assert_failed(status, f"{sentence} {AROUND}")
        direct = debian_cluster.url(scene.database)
        scene.start(url=url, MIGRATION_DATABASE_URL=direct).finish().assert_ok()
    scene.assert_complete()


def test_options_that_a_pooler_refuses(
    debian_cluster: Cluster, pgbouncer: Callable[[str], str], make_scene: MakeScene
) -> None:
    """What waiting does not change ends at once, and says which way there is."""
    scene = make_scene(debian_cluster, MAKE_TABLE)
    url = f"{pgbouncer(scene.database)}?options=-csearch_path%3Dpublic"
    scene.start(url=url).finish().assert_failed(
        4,
        "A pooler at … refused the login: unsupported startup parameter: options. Leave "
        "that out of the URL; if migrations need it, set MIGRATION_DATABASE_URL to the server "
        "itself.",
    )


def test_prepared_statements(
    debian_cluster: Cluster, pgbouncer: Callable[[str], str], make_scene: MakeScene
) -> None:
    """A driver that prepares them finds those of others, or none: that needs the server itself."""
    scene = make_scene(debian_cluster, MAKE_TABLE, DRIVERS["asyncpg"])
    pooled = pgbouncer(scene.database)
    with ExitStack() as opened:
        # In as many sessions of the pool as the boot may meet.
        others = [opened.enter_context(closing(psycopg2.connect(pooled))) for _ in range(4)]
        # asyncpg counts the names in a process, which may have run other tests before.
        used = asyncpg.connection._uid
        names = [f"__asyncpg_stmt_{number:x}__" for number in range(used + 1, used + 1000)]
        for other in others:
            other.cursor().execute("; ".join(f"PREPARE {name} AS SELECT 1" for name in names))
        for other in others:
            other.commit()
        failed = scene.start(url=pooled).finish()
    failed.assert_failed(
        5, "…A pooler is in between: set MIGRATION_DATABASE_URL to the server itself.…"
    )
    direct = debian_cluster.url(scene.database)
    scene.start(url=pooled, MIGRATION_DATABASE_URL=direct).finish().assert_ok()
    scene.assert_complete()
