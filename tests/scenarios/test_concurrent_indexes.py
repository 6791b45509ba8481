"""Indexes that are built concurrently: cut short, built by somebody else, or waiting for long."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from signal import SIGKILL
from textwrap import dedent

import psycopg2
import pytest

from tests.cluster import OWNER, SUPERUSER, Cluster
from tests.scenarios.live_traffic import blocking, traffic
from tests.scenarios.process import FOREIGN_ENV
from tests.scenarios.scene import (
    AUTOCOMMIT,
    IN_DOUBT,
    MAKE_TABLE,
    SOON,
    MakeScene,
    Scene,
    step,
)
from tests.scenarios.test_foreign_env import ASYNC_ENV

pytestmark = pytest.mark.slow

BLOCK = "with op.get_context().autocommit_block():\n    "

BUILD = "CREATE UNIQUE INDEX CONCURRENTLY by_name ON steps (name)"

BODY = f'{BLOCK}op.execute("{BUILD}")\n{MAKE_TABLE}'

ENVS = {
    "psycopg2": FOREIGN_ENV,
    **{driver: ASYNC_ENV.replace("DRIVER", driver) for driver in ("psycopg", "asyncpg")},
}

WRITE = "INSERT INTO steps (name) VALUES (txid_current()::text)"

SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT FROM pace"

PHASE = """
SELECT EXISTS (
    SELECT FROM pg_stat_progress_create_index WHERE datname = '{}' AND starts_with(phase, '{}'))
"""

ITS_INDEX = """
SELECT i.indisvalid, pg_get_indexdef(i.indexrelid)
FROM pg_index i WHERE i.indexrelid = to_regclass('by_name')
"""

VALID = [(True, "CREATE UNIQUE INDEX by_name ON public.steps USING btree (name)")]

SLOW_NAME = """
CREATE FUNCTION slow(name text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_sleep((SELECT seconds FROM public.pace));
    RETURN name;
END $$;
INSERT INTO steps (name) VALUES ('one');
UPDATE pace SET seconds = {};
"""


def make(
    make_scene: MakeScene, cluster: Cluster, body: str = BODY, env: str = FOREIGN_ENV
) -> Scene:
    """Return a scene whose first revision has run."""
    scene = make_scene(cluster, body, env)
    scene.start(MIGRATION_TARGET="a1").finish().assert_ok()
    return scene


def execute(scene: Scene, statements: str) -> None:
    """Execute statements as the owner."""
    with closing(psycopg2.connect(scene.cluster.url(scene.database))) as connection:
        connection.autocommit = True
        connection.cursor().execute(statements)


def wait_for_phase(scene: Scene, phase: str) -> None:
    """Return as soon as somebody builds an index and has got there."""
    scene.wait_until(PHASE.format(scene.database, phase))


@contextmanager
def held_at(scene: Scene, phase: str) -> Iterator[None]:
    """Have whoever builds an index meanwhile stay in that phase, until the block ends."""
    with ExitStack() as blockers:
        if phase == "building index":
            execute(scene, SLOW_NAME.format(60))
            yield
            return
        statement = SNAPSHOT if phase == "waiting for old snapshots" else WRITE
        first = blockers.enter_context(blocking(scene.cluster, scene.database, statement))
        if phase == "waiting for writers before validation":

            def hand_over() -> None:
                wait_for_phase(scene, "waiting for writers before build")
                blockers.enter_context(blocking(scene.cluster, scene.database, WRITE))
                first.cursor().execute("ROLLBACK")

            thread = threading.Thread(target=hand_over)
            thread.start()
            blockers.callback(thread.join)
        yield


PHASES = {
    "waiting for writers before build": BODY,
    "building index": BODY.replace("(name)", "(slow(name))"),
    "waiting for writers before validation": BODY,
    "waiting for old snapshots": BODY,
}


@pytest.mark.parametrize("who", ["starter", "session"])
@pytest.mark.parametrize("phase", PHASES)
def test_killed_in_a_phase(
    any_cluster: Cluster, make_scene: MakeScene, phase: str, who: str
) -> None:
    """What is left is dropped and built again, and is then as if nothing had been."""
    scene = make(make_scene, any_cluster, PHASES[phase])
    with held_at(scene, phase):
        first = scene.start()
        wait_for_phase(scene, phase)
        backend = scene.backend_of(first)
        if who == "starter":
            first.signal(SIGKILL)
            assert first.finish().status == -SIGKILL
        else:
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
    expected = ["a1 applied other", "b2 failed first", "b2 applied second", "c3 applied second"]
    assert scene.journal(first=first, second=second) == expected


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


def test_an_invalid_index_of_a_long_name(any_cluster: Cluster, make_scene: MakeScene) -> None:
    """PostgreSQL cuts names short, and knows nothing of what it has cut off."""
    name = "by_" + "\u00e4" * 40
    build = BUILD.replace("CONCURRENTLY by_name", f"CONCURRENTLY IF NOT EXISTS {name}")
    scene = make(make_scene, any_cluster, f"{BLOCK}op.execute('{build}')\n{MAKE_TABLE}")
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
def test_a_reindex_that_was_killed(any_cluster: Cluster, make_scene: MakeScene, what: str) -> None:
    """It has left an index beside the one that it was to replace, which the next one drops."""
    body = f'{BLOCK}op.execute("REINDEX {what}")\n{MAKE_TABLE}'
    scene = make(make_scene, any_cluster, body)
    execute(scene, BUILD)
    indexes = (
        "SELECT indexrelid::regclass::text, indisvalid FROM pg_index"
        " WHERE indrelid = 'steps'::regclass ORDER BY 1"
    )
    with held_at(scene, "waiting for writers before build"):
        first = scene.start()
        wait_for_phase(scene, "waiting for writers before build")
        backend = scene.backend_of(first)
        first.signal(SIGKILL)
        assert first.finish().status == -SIGKILL
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


@pytest.mark.parametrize("env", ENVS.values(), ids=ENVS.keys())
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
    any_cluster: Cluster, make_scene: MakeScene, env: str, body: str
) -> None:
    """One that died between the index and its version goes on behind the index."""
    scene = make(make_scene, any_cluster, body, env)
    execute(scene, "CREATE TABLE t_b2 ()")
    first = scene.start()
    first.finish().assert_failed(5, "Migration b2 Foreign b2 failed: …")
    assert scene.query(ITS_INDEX) == VALID
    execute(scene, "DROP TABLE t_b2")
    second = scene.start()
    finished = second.finish()
    finished.assert_ok()
    finished.assert_says("Index public.by_name is there already, as the revision builds it: kept")
    scene.assert_complete()
    assert scene.query(ITS_INDEX) == VALID


def test_the_pages_example(any_cluster: Cluster, make_scene: MakeScene) -> None:
    """What people are told to write builds the index, also where one was cut short before."""
    page = Path(__file__).parents[2] / "docs" / "concurrent-indexes.md"
    text = page.read_text(encoding="utf-8")
    upgrade = text.split("```python\ndef upgrade() -> None:\n")[1].split("```")[0]
    scene = make(make_scene, any_cluster, f"{dedent(upgrade)}\n{MAKE_TABLE}")
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


def test_duplicates(any_cluster: Cluster, make_scene: MakeScene) -> None:
    """It is said of which key they are, without what they hold, and what is left behind."""
    scene = make(make_scene, any_cluster)
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
def other_builder(scene: Scene, statement: str, user: str = OWNER) -> Iterator[threading.Thread]:
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


def test_built_in_vain_by_somebody_else(any_cluster: Cluster, make_scene: MakeScene) -> None:
    """What they leave when they have failed is dropped, and built."""
    body = BODY.replace("UNIQUE ", "")
    scene = make(make_scene, any_cluster, body)
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
def test_another_is_built_meanwhile(any_cluster: Cluster, make_scene: MakeScene, user: str) -> None:
    """There is nothing to wait for where the one that is wanted is there already."""
    body = BODY.replace("CONCURRENTLY", "CONCURRENTLY IF NOT EXISTS")
    scene = make(make_scene, any_cluster, body)
    execute(scene, BUILD)
    with other_builder(scene, OTHER, user):
        finished = scene.start().finish()
    finished.assert_ok()
    finished.assert_says("Index public.by_name is there already: kept, as IF NOT EXISTS says")
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


def test_the_parent_of_a_partitioned_index(any_cluster: Cluster, make_scene: MakeScene) -> None:
    """It is not valid before each partition has its part, and nobody's left-over."""
    parent = "CREATE INDEX IF NOT EXISTS by_name ON ONLY parent (name)"
    lines = [
        f'op.execute("{parent}")',
        'op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS low_name ON low (name)")',
        'op.execute("ALTER INDEX by_name ATTACH PARTITION low_name")',
    ]
    scene = make(make_scene, any_cluster, BLOCK + "\n    ".join(lines) + f"\n{MAKE_TABLE}")
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


def test_the_roles_limits(any_cluster: Cluster, make_scene: MakeScene) -> None:
    """They are meant for the application: a build takes as long as it takes, with a word of it."""
    shown = "INSERT INTO steps (name) SELECT setting FROM pg_settings"
    body = f"{BODY}\nop.execute(\"{shown} WHERE name = 'statement_timeout'\")"
    scene = make(make_scene, any_cluster, body)
    limits = ("lock_timeout", "statement_timeout")
    for name in limits:
        any_cluster.execute(f"ALTER ROLE {OWNER} IN DATABASE {scene.database} SET {name} = '500ms'")
    with blocking(any_cluster, scene.database, SNAPSHOT):
        starter = scene.start()
        wait_for_phase(scene, "waiting for old snapshots")
        starter.wait_for(
            "Migration b2 Foreign b2: building by_name (waiting for old snapshots…), waiting for "
            "backend … (report, idle in transaction, query since …)"
        )
    starter.finish(SOON).assert_ok()
    assert scene.query(ITS_INDEX) == VALID
    assert scene.query("SELECT name FROM steps") == [("0",)]


def test_the_budget(any_cluster: Cluster, make_scene: MakeScene) -> None:
    """When it is used up that is said, and the next one goes on."""
    scene = make(make_scene, any_cluster)
    with blocking(any_cluster, scene.database, SNAPSHOT):
        finished = scene.start(MIGRATE_TRAFFIC_TIMEOUT="1").finish()
        finished.assert_says("Index public.by_name is INVALID now: …")
        finished.assert_failed(
            5,
            "Migration b2 Foreign b2 is blocked by backend … (report, idle in transaction, query "
            "since …); live traffic has blocked migrations for more than 1 s. See what it is "
            "doing, or set MIGRATE_TRAFFIC_TIMEOUT higher. What the revision did outside of a "
            "transaction is kept.",
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


ALTER = 'op.execute("ALTER TABLE pace ADD COLUMN more int")'
ALONE = {
    "in an autocommit block": f"{BLOCK}{ALTER}\n{MAKE_TABLE}",
    "in a DO": f'{BLOCK}op.execute("DO $$ BEGIN ALTER TABLE pace ADD COLUMN more int; END $$")\n'
    f"{MAKE_TABLE}",
    "one of two": f'{BLOCK}op.execute("LOCK TABLE steps; ALTER TABLE pace ADD COLUMN more int")\n'
    f"{MAKE_TABLE}",
    "after one": f'{BLOCK}op.execute("SELECT 1")\n{ALTER}\n{MAKE_TABLE}',
    "after COMMIT": f'op.execute("COMMIT")\n{ALTER}\n{MAKE_TABLE}',
}


@pytest.mark.parametrize("body", ALONE.values(), ids=ALONE.keys())
def test_one_statement_is_tried_again(
    any_cluster: Cluster, make_scene: MakeScene, body: str
) -> None:
    """What cannot be taken back with its revision is not queued for, either."""
    scene = make(make_scene, any_cluster, body)
    with traffic(any_cluster, scene.database) as found:
        with blocking(any_cluster, scene.database) as other:
            starter = scene.start()
            starter.wait_for("Migration b2 Foreign b2 is blocked by backend … (report, …); …")
            threading.Event().wait(1.5)
            other.cursor().execute("ROLLBACK")
        finished = starter.finish(SOON)
    finished.assert_ok()
    finished.assert_says("Migration b2 Foreign b2 got through after …")
    scene.assert_complete()
    assert not found.failures
    assert found.longest < 1, found.longest


STEPS = 'op.execute("ALTER TABLE steps ADD COLUMN more int")'
LATER = {
    "after a block": f'{BLOCK}op.execute("SELECT 1")\n{ALTER}\n{STEPS}',
    "after COMMIT": f'op.execute("COMMIT")\nop.execute("BEGIN")\n{ALTER}\n{STEPS}',
    "behind a row": f'{BLOCK}op.execute("SELECT 1")\n{ALTER}\n'
    "op.execute(\"UPDATE steps SET name = 'b2'\")",
}


@pytest.mark.parametrize("body", LATER.values(), ids=LATER.keys())
def test_what_it_keeps_locked_meanwhile(
    any_cluster: Cluster, make_scene: MakeScene, body: str
) -> None:
    """It gives up where it cannot give back what others wait for, and does nothing by halves."""
    scene = make(make_scene, any_cluster, f"{body}\n{MAKE_TABLE}")
    execute(scene, "INSERT INTO steps (name) VALUES ('a1')")
    with (
        traffic(any_cluster, scene.database) as found,
        blocking(any_cluster, scene.database, "UPDATE steps SET name = 'a2'"),
    ):
        failed = scene.start().finish()
    failed.assert_failed(
        5,
        "Migration b2 Foreign b2 is blocked by backend … (report, …), and others wait for what "
        "it had locked before. What it did since it left its first transaction was rolled back, "
        "not what is committed. Give what needs another table a revision of its own, and start "
        "again.",
    )
    assert not found.failures
    assert found.longest < 6, found.longest
    scene.start().finish().assert_ok()
    scene.assert_complete()


def test_an_enums_value(any_cluster: Cluster, make_scene: MakeScene) -> None:
    """One that was added by a try which failed later is not added again, and not missed."""
    body = f"{BLOCK}op.execute(\"ALTER TYPE mood ADD VALUE 'sleepy'\")\n{MAKE_TABLE}"
    scene = make(make_scene, any_cluster, body)
    execute(scene, "CREATE TYPE mood AS ENUM ('calm'); CREATE TABLE t_b2 ()")
    scene.start().finish().assert_failed(5, "Migration b2 Foreign b2 failed: …")
    execute(scene, "DROP TABLE t_b2")
    scene.start().finish().assert_ok()
    scene.assert_complete()
    assert scene.query("SELECT enum_range(NULL::mood)::text") == [("{calm,sleepy}",)]


def test_a_part_that_was_committed(any_cluster: Cluster, make_scene: MakeScene) -> None:
    """A block commits what stands before it: that is not done twice without a word."""
    body = f"{step('b2')}\n{BODY}"
    scene = make(make_scene, any_cluster, body)
    execute(scene, "CREATE TABLE t_b2 ()")
    first = scene.start().finish()
    first.assert_failed(5, "Migration b2 Foreign b2 failed: …")
    first.assert_says(
        "Migration b2 Foreign b2 keeps what it committed: INSERT INTO steps (name, …. To run …"
    )
    execute(scene, "DROP TABLE t_b2")
    refused = "Migration b2 Foreign b2 was cut short before, … (INSERT INTO steps (name, …), …"
    for _ in range(2):
        scene.start().finish().assert_failed(5, refused)
    assert len(scene.steps()) == 1
    [path] = scene.foreign.versions.glob("*b2*.py")
    path.write_text(path.read_text(encoding="utf-8").replace(step("b2"), "pass"), encoding="utf-8")
    fixed = scene.start().finish()
    fixed.assert_ok()
    fixed.assert_says("Migration b2 Foreign b2 was changed since it had committed … INSERT INTO …")
    scene.assert_complete()


def test_a_statement_that_failed_was_not_committed(
    any_cluster: Cluster, make_scene: MakeScene
) -> None:
    """Nothing is in doubt where PostgreSQL said that it was not done."""
    scene = make(make_scene, any_cluster, AUTOCOMMIT)
    execute(scene, "ALTER TABLE steps ADD CONSTRAINT none CHECK (false)")
    scene.start().finish().assert_failed(5, "Migration b2 Foreign b2 failed: …")
    execute(scene, "ALTER TABLE steps DROP CONSTRAINT none")
    scene.start().finish().assert_ok()
    assert [name for name, _ in scene.steps()] == ["first", "second"]


FILL = f"""
{BLOCK}op.execute("CALL fill()")
{MAKE_TABLE}
"""

PROCEDURE = """
INSERT INTO steps (name) SELECT 'row' FROM generate_series(1, 3);
CREATE PROCEDURE fill() LANGUAGE plpgsql AS $$ DECLARE row_id int; BEGIN
    FOR row_id IN SELECT id FROM steps ORDER BY id LOOP
        UPDATE steps SET name = name || '!' WHERE id = row_id;
        COMMIT;
    END LOOP;
END $$;
"""

ROW = "UPDATE steps SET name = name WHERE id = 2"


def test_a_procedure_that_commits(any_cluster: Cluster, make_scene: MakeScene) -> None:
    """It cannot be tried again, so it has all the time there is where it waits for a row."""
    scene = make(make_scene, any_cluster, FILL)
    execute(scene, PROCEDURE)
    with blocking(any_cluster, scene.database, ROW) as other:
        starter = scene.start()
        starter.wait_for("Migration b2 Foreign b2: waiting for backend … (report, …)")
        other.cursor().execute("ROLLBACK")
    starter.finish(SOON).assert_ok()
    scene.assert_complete()
    assert [name for name, _ in scene.steps()] == ["row!"] * 3


def test_a_procedure_that_is_held_off_for_too_long(
    any_cluster: Cluster, make_scene: MakeScene
) -> None:
    """What it has committed is said to be in doubt, and nobody is told to start again."""
    scene = make(make_scene, any_cluster, FILL)
    execute(scene, PROCEDURE)
    with blocking(any_cluster, scene.database, ROW):
        failed = scene.start(MIGRATE_TRAFFIC_TIMEOUT="1").finish()
    failed.assert_failed(
        5,
        "Migration b2 Foreign b2 is blocked by backend … (report, …), in a statement that may "
        "have committed a part of itself. It is not retried: see what it has done. The next "
        "start says how to go on.",
    )
    failed.assert_says("Migration b2 Foreign b2 keeps what it committed: CALL fill(). …")
    assert sorted(str(name) for name, _ in scene.steps()) == ["row", "row", "row!"]
    scene.start().finish().assert_failed(5, IN_DOUBT)


@pytest.mark.parametrize("body", [ALONE["in an autocommit block"], ALONE["in a DO"]])
def test_what_is_undone_is_not_in_doubt(
    any_cluster: Cluster, make_scene: MakeScene, body: str
) -> None:
    """Where the budget is used up nothing has been done, and the next start does it."""
    scene = make(make_scene, any_cluster, body)
    with blocking(any_cluster, scene.database):
        failed = scene.start(MIGRATE_TRAFFIC_TIMEOUT="1").finish()
    failed.assert_failed(5, "Migration b2 Foreign b2 is blocked by backend … (report, …); …")
    failed.assert_never_says("…keeps what it committed…")
    scene.start().finish().assert_ok()
    scene.assert_complete()


def test_starters_that_wait(any_cluster: Cluster, make_scene: MakeScene) -> None:
    """None of them is waited for by the build: that would be a deadlock."""
    scene = make(make_scene, any_cluster)
    starters = [scene.start() for _ in range(8)]
    for starter in starters:
        starter.finish().assert_ok()
    scene.assert_complete()
    assert scene.query(ITS_INDEX) == VALID
    deadlocks = f"SELECT deadlocks FROM pg_stat_database WHERE datname = '{scene.database}'"
    assert scene.query(deadlocks) == [(0,)]
