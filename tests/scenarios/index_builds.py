"""A scene whose second revision builds an index concurrently, and what such a build waits for."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import psycopg2

from tests.scenarios.live_traffic import blocking
from tests.scenarios.scene import MAKE_TABLE, S, Scene

BLOCK = "with op.get_context().autocommit_block():\n    "

BUILD = "CREATE UNIQUE INDEX CONCURRENTLY by_name ON steps (name)"

BODY = f'{BLOCK}op.execute("{BUILD}")\n{MAKE_TABLE}'

WRITE = "INSERT INTO steps (name) VALUES (txid_current()::text)"

SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT FROM pace"

ITS_INDEX = """
SELECT i.indisvalid, pg_get_indexdef(i.indexrelid)
FROM pg_index i WHERE i.indexrelid = to_regclass('by_name')
"""

VALID = [(True, "CREATE UNIQUE INDEX by_name ON public.steps USING btree (name)")]

PHASES = {
    "waiting for writers before build": BODY,
    "building index": BODY.replace("(name)", "(slow(name))"),
    "waiting for writers before validation": BODY,
    "waiting for old snapshots": BODY,
}
"""The phases that PostgreSQL names, each with a revision that can be held there."""

_PHASE = """
SELECT EXISTS (
    SELECT FROM pg_stat_progress_create_index WHERE datname = '{}' AND starts_with(phase, '{}'))
"""

SLOW_NAME = """
CREATE FUNCTION slow(name text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_sleep((SELECT seconds FROM public.pace));
    RETURN name;
END $$;
INSERT INTO steps (name) VALUES ('one');
UPDATE pace SET seconds = {};
"""


def execute(scene: Scene[S], statements: str) -> None:
    """Execute statements as the owner."""
    with closing(psycopg2.connect(scene.cluster.url(scene.database))) as connection:
        connection.autocommit = True
        connection.cursor().execute(statements)


def wait_for_phase(scene: Scene[S], phase: str) -> None:
    """Return as soon as a session builds an index and has got there."""
    scene.wait_until(_PHASE.format(scene.database, phase))


@contextmanager
def held_at(scene: Scene[S], phase: str) -> Iterator[None]:
    """Hold a session that builds an index in that phase, until the block ends."""
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
