"""Indexes that are built concurrently: cut short, built by another session, or waiting for long."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from textwrap import dedent

import psycopg2
import pytest

from tests.boot.in_process import MakeScene, Run
from tests.cluster import OWNER, SUPERUSER, Cluster
from tests.scenarios.envs import DRIVERS
from tests.scenarios.index_builds import (
    BLOCK,
    BODY,
    BUILD,
    ITS_INDEX,
    PHASES,
    SLOW_NAME,
    SNAPSHOT,
    VALID,
    WRITE,
    execute,
    held_at,
    wait_for_phase,
)
from tests.scenarios.live_traffic import blocking
from tests.scenarios.process import FOREIGN_ENV
from tests.scenarios.scene import MAKE_TABLE, SOON, Scene

pytestmark = pytest.mark.slow


def make(
    make_scene: MakeScene, cluster: Cluster, body: str = BODY, env: str = FOREIGN_ENV
) -> Scene[Run]:
    """Return a scene whose first revision has run."""
    return make_scene(cluster, body, env, begun=True)


@pytest.mark.parametrize("phase", PHASES)
def test_ended_in_a_phase(any_cluster: Cluster, make_scene: MakeScene, phase: str) -> None:
    """What is left of a build whose session ended is dropped and built again."""
    scene = make(make_scene, any_cluster, PHASES[phase])
    with held_at(scene, phase):
        first = scene.start()
        wait_for_phase(scene, phase)
        backend = scene.backend_of(first)
        scene.query(f"SELECT pg_terminate_backend({backend})")
        assert first.finish().status == 5
        second = scene.start()
        scene.wait_for_end(backend)  # or it could come to its end after all
        execute(scene, "UPDATE pace SET seconds = 0")
    finished = second.finish(SOON)
    finished.assert_ok()
    finished.assert_says("Index public.by_name is INVALID, left by a build that was cut short: …")
    scene.assert_complete()
    [(is_valid, definition)] = scene.query(ITS_INDEX)
    assert is_valid
    assert str(definition).startswith("CREATE UNIQUE INDEX by_name ON public.steps USING btree (")
    assert scene.statuses() == ["a1 applied", "b2 failed", "b2 applied", "c3 applied"]


QUOTED = '"by_name"'
LEFT_OVERS = {
    "a plain statement": BUILD,
    "if not exists": BUILD.replace("CONCURRENTLY", "CONCURRENTLY IF NOT EXISTS"),
    "quoted, and with a comment": f"/* ours */ {BUILD.lower().replace('by_name', QUOTED)};",
    "comments within": BUILD.replace("by_name", "IF NOT EXISTS by_name -- by what\\n").replace(
        "INDEX", "INDEX /* online /* and so on */ */"
    ),
}


@pytest.mark.parametrize("statement", LEFT_OVERS.values(), ids=LEFT_OVERS.keys())
def test_an_invalid_index(any_cluster: Cluster, make_scene: MakeScene, statement: str) -> None:
    """Whoever left it: it is not taken for the one that is wanted."""
    scene = make(make_scene, any_cluster, f"{BLOCK}op.execute('{statement}')\n{MAKE_TABLE}")
    execute(scene, "INSERT INTO steps (name) VALUES ('same'), ('same')")
    with pytest.raises(psycopg2.errors.UniqueViolation):
        execute(scene, BUILD)
    execute(scene, "DELETE FROM steps")
    scene.start().finish().assert_ok()
    scene.assert_complete()
    assert scene.query(ITS_INDEX) == VALID


def test_an_invalid_index_of_a_long_name(cluster: Cluster, make_scene: MakeScene) -> None:
    """PostgreSQL cuts names short, and knows nothing of what it has cut off."""
    name = "by_" + "\u00e4" * 40
    build = BUILD.replace("CONCURRENTLY by_name", f"CONCURRENTLY IF NOT EXISTS {name}")
    scene = make(make_scene, cluster, f"{BLOCK}op.execute('{build}')\n{MAKE_TABLE}")
    execute(scene, "INSERT INTO steps (name) VALUES ('same'), ('same')")
    with pytest.raises(psycopg2.errors.UniqueViolation):
        execute(scene, build)
    execute(scene, "DELETE FROM steps")
    scene.start().finish().assert_ok()
    found = "SELECT relname, indisvalid FROM pg_index JOIN pg_class c ON c.oid = indexrelid"
    assert scene.query(f"{found} WHERE indrelid = 'steps'::regclass") == [(name[:33], True)]


REINDEXES = [
    "INDEX CONCURRENTLY by_name",
    "TABLE CONCURRENTLY steps",
    "(CONCURRENTLY) SCHEMA public",
]


@pytest.mark.parametrize("what", REINDEXES)
def test_a_reindex_that_was_cut_short(cluster: Cluster, make_scene: MakeScene, what: str) -> None:
    """It has left an index beside the one that it was to replace, which the next one drops."""
    body = f'{BLOCK}op.execute("REINDEX {what}")\n{MAKE_TABLE}'
    scene = make(make_scene, cluster, body)
    execute(scene, BUILD)
    indexes = (
        "SELECT indexrelid::regclass::text, indisvalid FROM pg_index"
        " WHERE indrelid = 'steps'::regclass ORDER BY 1"
    )
    with held_at(scene, "waiting for writers before build"):
        first = scene.start()
        wait_for_phase(scene, "waiting for writers before build")
        backend = scene.backend_of(first)
        scene.query(f"SELECT pg_terminate_backend({backend})")
        assert first.finish().status == 5
        second = scene.start()
        scene.wait_for_end(backend)
        assert scene.query(indexes) == [("by_name", True), ("by_name_ccnew", False)]
    finished = second.finish(SOON)
    finished.assert_ok()
    finished.assert_says("Index public.by_name_ccnew is INVALID, left by a REINDEX that was cut …")
    assert scene.query(indexes) == [("by_name", True)]


def test_a_reindex_that_fails(cluster: Cluster, make_scene: MakeScene) -> None:
    """What it leaves behind is said."""
    body = f'{BLOCK}op.execute("REINDEX INDEX CONCURRENTLY by_name")\n{MAKE_TABLE}'
    scene = make(make_scene, cluster, body)
    execute(scene, BUILD)
    with blocking(cluster, scene.database, SNAPSHOT):
        finished = scene.start(MIGRATE_TRAFFIC_TIMEOUT="1").finish()
    finished.assert_failed(5, "Migration b2 Foreign b2 is blocked by …")
    finished.assert_says("Index public.by_name_ccnew is INVALID, left over: the next run drops it")


@pytest.mark.parametrize("env", DRIVERS.values(), ids=DRIVERS.keys())
@pytest.mark.parametrize(
    "body",
    [
        BODY,
        f'{BLOCK}op.create_index("by_name", "steps", ["name"], unique=True,'
        f" postgresql_concurrently=True)\n{MAKE_TABLE}",
    ],
    ids=["by SQL", "by Alembic"],
)
def test_built_by_the_try_before(
    cluster: Cluster, make_scene: MakeScene, env: str, body: str
) -> None:
    """One that died between the index and its version goes on behind the index."""
    scene = make(make_scene, cluster, body, env)
    execute(scene, "CREATE TABLE t_b2 ()")
    first = scene.start()
    first.finish().assert_failed(5, "Migration b2 Foreign b2 failed: …")
    assert scene.query(ITS_INDEX) == VALID
    execute(scene, "DROP TABLE t_b2")
    second = scene.start()
    finished = second.finish()
    finished.assert_ok()
    finished.assert_says(
        "Index public.by_name exists already with the definition of the revision, and is kept"
    )
    scene.assert_complete()
    assert scene.query(ITS_INDEX) == VALID


def test_the_pages_example(cluster: Cluster, make_scene: MakeScene) -> None:
    """What people are told to write builds the index, also where one was cut short before."""
    page = Path(__file__).parents[3] / "docs" / "concurrent-indexes.md"
    text = page.read_text(encoding="utf-8")
    upgrade = text.split("```python\ndef upgrade() -> None:\n")[1].split("```")[0]
    scene = make(make_scene, cluster, f"{dedent(upgrade)}\n{MAKE_TABLE}")
    execute(scene, "CREATE TABLE books (title text); INSERT INTO books VALUES ('a'), ('a')")
    with pytest.raises(psycopg2.errors.UniqueViolation):
        execute(scene, "CREATE UNIQUE INDEX CONCURRENTLY ix_books_title ON books (title)")
    scene.start().finish().assert_ok()
    valid = "SELECT indisvalid, indisunique FROM pg_index WHERE indexrelid = '{}'::regclass"
    assert scene.query(valid.format("ix_books_title")) == [(True, False)]


OTHERS = {
    "on other columns": "CREATE UNIQUE INDEX by_name ON steps (id)",
    "not unique": "CREATE INDEX by_name ON steps (name)",
    "of a part": "CREATE UNIQUE INDEX by_name ON steps (name) WHERE id > 0",
    "of another table": "CREATE UNIQUE INDEX by_name ON pace (seconds)",
    "a table": "CREATE TABLE by_name (name text)",
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
def test_another_of_the_name(cluster: Cluster, make_scene: MakeScene, other: str) -> None:
    """It is not taken for what the revision builds, also not where a try of it has failed."""
    scene = make(make_scene, cluster)
    execute(scene, other)
    for _ in range(2):
        sentence = 'Migration b2 … relation "by_name" already exists. The database is at a1 now; …'
        scene.start().finish().assert_failed(5, sentence)
    scene.query("SELECT 'by_name'::regclass")


def test_duplicates(cluster: Cluster, make_scene: MakeScene) -> None:
    """It is said of which key they are, without what they hold, and what is left behind."""
    scene = make(make_scene, cluster)
    execute(scene, "INSERT INTO steps (name) VALUES ('s3cret'), ('s3cret')")
    for _ in range(2):
        finished = scene.start().finish()
        finished.assert_failed(
            5, "…Fix the revision or the rows (by_name: name must be unique) and start again."
        )
        finished.assert_says(
            "Index public.by_name is INVALID now: no query uses it, and every write pays for it. "
            "The next run drops it and builds it again"
        )
        finished.assert_never_says("…s3cret…")
    execute(scene, "DELETE FROM steps")
    scene.start().finish().assert_ok()
    assert scene.query(ITS_INDEX) == VALID


@contextmanager
def other_builder(
    scene: Scene[Run], statement: str, user: str = OWNER
) -> Iterator[threading.Thread]:
    """Have another session build an index, which a writer keeps from coming to an end."""

    def build() -> None:
        url = scene.cluster.url(scene.database, user=user)
        with closing(psycopg2.connect(url)) as connection:
            connection.autocommit = True
            try:
                connection.cursor().execute("SET application_name = 'by hand'")
                connection.cursor().execute(statement)
            except psycopg2.errors.UniqueViolation:
                pass  # as some of them should end

    builder = threading.Thread(target=build)
    with blocking(scene.cluster, scene.database, WRITE):
        builder.start()
        wait_for_phase(scene, "waiting for writers before build")
        yield builder
    builder.join()


WAITS = (
    "Migration b2 Foreign b2 waits for index public.by_name, which is built by backend … (by hand, "
    "active, query since …); retrying for up to 120 s"
)


@pytest.mark.parametrize("is_lenient", [False, True])
def test_built_by_somebody_else(
    any_cluster: Cluster, make_scene: MakeScene, is_lenient: bool
) -> None:
    """It is left alone while they are at it, and kept when they have built it."""
    body = BODY.replace("CONCURRENTLY", "CONCURRENTLY IF NOT EXISTS") if is_lenient else BODY
    scene = make(make_scene, any_cluster, body)
    with other_builder(scene, BUILD):
        starter = scene.start()
        starter.wait_for(WAITS)
        assert [is_valid for is_valid, _ in scene.query(ITS_INDEX)] == [False]
    starter.finish(SOON).assert_ok()
    scene.assert_complete()
    assert scene.query(ITS_INDEX) == VALID


def test_built_in_vain_by_somebody_else(cluster: Cluster, make_scene: MakeScene) -> None:
    """What they leave when they have failed is dropped, and built."""
    body = BODY.replace("UNIQUE ", "")
    scene = make(make_scene, cluster, body)
    execute(scene, "INSERT INTO steps (name) VALUES ('same'), ('same')")
    with other_builder(scene, BUILD):
        starter = scene.start()
        starter.wait_for(WAITS)
    starter.finish(SOON).assert_ok()
    [(is_valid, definition)] = scene.query(ITS_INDEX)
    assert is_valid
    assert str(definition).startswith("CREATE INDEX")


OTHER = "CREATE INDEX CONCURRENTLY other ON steps (id, name)"


@pytest.mark.parametrize("user", [OWNER, SUPERUSER])
def test_another_is_built_meanwhile(cluster: Cluster, make_scene: MakeScene, user: str) -> None:
    """There is nothing to wait for where the one that is wanted is there already."""
    body = BODY.replace("CONCURRENTLY", "CONCURRENTLY IF NOT EXISTS")
    scene = make(make_scene, cluster, body)
    execute(scene, BUILD)
    with other_builder(scene, OTHER, user):
        finished = scene.start().finish()
    finished.assert_ok()
    finished.assert_says(
        "Index public.by_name exists already and is kept, because the statement says IF NOT EXISTS"
    )
    finished.assert_never_says("…waits for…")


@pytest.mark.parametrize(
    ("user", "what"), [(OWNER, "index public.other"), (SUPERUSER, 'an index on "steps"')]
)
def test_another_is_built_before(
    any_cluster: Cluster, make_scene: MakeScene, user: str, what: str
) -> None:
    """One at a time builds on a table; nobody is said to build what they do not."""
    scene = make(make_scene, any_cluster)
    execute(scene, "INSERT INTO steps (name) VALUES ('same'), ('same')")
    with pytest.raises(psycopg2.errors.UniqueViolation):
        execute(scene, BUILD)
    execute(scene, "DELETE FROM steps")
    with other_builder(scene, OTHER, user):
        starter = scene.start()
        starter.wait_for(f"Migration b2 Foreign b2 waits for {what}, which is built by backend …")
    starter.finish(SOON).assert_ok()
    assert scene.query(ITS_INDEX) == VALID


def test_the_parent_of_a_partitioned_index(cluster: Cluster, make_scene: MakeScene) -> None:
    """It is not valid before each partition has its part, and nobody's left-over."""
    parent = "CREATE INDEX IF NOT EXISTS by_name ON ONLY parent (name)"
    lines = [
        f'op.execute("{parent}")',
        'op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS low_name ON low (name)")',
        'op.execute("ALTER INDEX by_name ATTACH PARTITION low_name")',
    ]
    scene = make(make_scene, cluster, BLOCK + "\n    ".join(lines) + f"\n{MAKE_TABLE}")
    execute(
        scene,
        "CREATE TABLE parent (id int, name text) PARTITION BY RANGE (id);"
        "CREATE TABLE low PARTITION OF parent FOR VALUES FROM (0) TO (9);"
        f"{parent}",
    )
    [before] = scene.query("SELECT 'by_name'::regclass::oid")
    finished = scene.start().finish()
    assert scene.query("SELECT 'by_name'::regclass::oid") == [before]
    finished.assert_never_says("…INVALID…")
    finished.assert_ok()
    assert scene.query(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = 'by_name'::regclass"
    ) == [(True,)]


def test_the_roles_limits(cluster: Cluster, make_scene: MakeScene) -> None:
    """They are meant for the application: a build takes as long as it takes, with a word of it."""
    shown = "INSERT INTO steps (name) SELECT setting FROM pg_settings"
    body = f"{BODY}\nop.execute(\"{shown} WHERE name = 'statement_timeout'\")"
    scene = make(make_scene, cluster, body)
    limits = ("lock_timeout", "statement_timeout")
    for name in limits:
        cluster.execute(f"ALTER ROLE {OWNER} IN DATABASE {scene.database} SET {name} = '500ms'")
    with blocking(cluster, scene.database, SNAPSHOT):
        starter = scene.start()
        wait_for_phase(scene, "waiting for old snapshots")
        starter.wait_for(
            "Migration b2 Foreign b2: building by_name (waiting for old snapshots…), waiting for "
            "backend … (report, idle in transaction, query since …)"
        )
    starter.finish(SOON).assert_ok()
    assert scene.query(ITS_INDEX) == VALID
    assert scene.query("SELECT name FROM steps") == [("0",)]


def test_the_budget(cluster: Cluster, make_scene: MakeScene) -> None:
    """When it is used up that is said, and the next one goes on."""
    scene = make(make_scene, cluster)
    with blocking(cluster, scene.database, SNAPSHOT):
        finished = scene.start(MIGRATE_TRAFFIC_TIMEOUT="1").finish()
        finished.assert_says("Index public.by_name is INVALID now: …")
        finished.assert_failed(
            5,
            "Migration b2 Foreign b2 is blocked by backend … (report, idle in transaction, query "
            "since …); live traffic has blocked migrations for more than 1 s. See what it is "
            "doing, or set MIGRATE_TRAFFIC_TIMEOUT higher. Its changes outside of a "
            "transaction are kept.",
        )
    scene.start().finish().assert_ok()
    scene.assert_complete()
    assert scene.query(ITS_INDEX) == VALID


def test_progress(cluster: Cluster, make_scene: MakeScene) -> None:
    """One that takes long says how far it is."""
    scene = make(make_scene, cluster, PHASES["building index"])
    execute(scene, SLOW_NAME.format(4))
    starter = scene.start()
    starter.wait_for("Migration b2 Foreign b2: building …by_name… (building index…)")
    starter.finish(SOON).assert_ok()
    scene.assert_complete()
