"""Replay a history beside a schema, and read in full only the points that the schema may be at.

If no point is equal, the history is replayed again with all points read, to find the nearest.
"""

import logging
from collections.abc import Callable
from functools import cache, partial

from psycopg2 import errors

from alembic_boot.adoption.application_url import pointed_at
from alembic_boot.adoption.comparison import Catalogue
from alembic_boot.adoption.confinement import read_caller
from alembic_boot.adoption.history_replay import Choice, Replay
from alembic_boot.adoption.reading import read_catalogue
from alembic_boot.adoption.schema_matching import (
    Matches,
    Revisions,
    differences,
    equal_points,
    match_schema,
)
from alembic_boot.adoption.schema_selection import Reader, read_beside
from alembic_boot.adoption.scratch import scratch_database
from alembic_boot.adoption.sketch import read_outline, read_sketch
from alembic_boot.adoption.temporary_role import is_temporary
from alembic_boot.description import BootDescription
from alembic_boot.environment.opening import open_project
from alembic_boot.errors import (
    DatabaseUnreachableError,
    LockTimeoutError,
    LoginRefusedError,
    MigrationFailedError,
)
from alembic_boot.output.progress import said_meanwhile
from alembic_boot.postgres.connection import connected
from alembic_boot.postgres.timeouts import lift
from alembic_boot.postgres.urls import DatabaseUrl
from alembic_boot.state.facts import lockers
from alembic_boot.state.schema import Schema

_log = logging.getLogger(__name__)

_QUICK = (read_outline, read_sketch)
"""The quicker one first. If one differs, the schemas do."""


def search_history(
    boot: BootDescription, schema: Schema, wanted: str | None, where: str
) -> Matches:
    """Return how like the schema is to each point that is equal, or to all points if none is.

    If a revision is wanted, its point is among them, and there is no second replay. `where` tells
    where the database is. Raises ConfigurationError and MigrationFailedError if the history
    cannot be replayed.
    """
    read = cache(partial(_read, schema))
    for reader in _QUICK:
        read(frozenset(), reader)  # if the schema cannot be read, fail before the replay

    def is_alike(replay: Replay, reader: Reader) -> bool:
        there = replay.read(reader)
        return not differences(read(replay.other_schemas, reader), there)

    def may_be_equal(replay: Replay, revisions: Revisions) -> bool:
        return revisions == (wanted,) or all(is_alike(replay, reader) for reader in _QUICK)

    replay = _replay(boot, schema, may_be_equal, f"{where}: replaying the history")
    matches = _match(schema, replay)
    if equal_points(matches) or wanted is not None:
        return matches
    does = "The schema is that of no revision: replaying the history again, to find the nearest"
    again = _replay(
        boot, schema, lambda _replay, _revisions: True, does, with_role=is_temporary(replay.url)
    )
    return _match(schema, again)


def _replay(
    boot: BootDescription, schema: Schema, is_chosen: Choice, does: str, *, with_role: bool = True
) -> Replay:
    """Replay the history as a temporary role; if that role may not do it all, as our own role.

    PostgreSQL confines the temporary role. For our own role only the parser refuses statements, so
    it refuses more of them.
    """
    with scratch_database(boot, with_role=with_role) as url:
        try:
            return _replay_at(boot, schema, url, is_chosen, does)
        except (MigrationFailedError, DatabaseUnreachableError, LoginRefusedError) as error:
            if not is_temporary(url):
                raise
            _log.info("The replay failed as a role without rights: %s", error.what)
    return _replay(boot, schema, is_chosen, f"{does} as the role of this login", with_role=False)


def _replay_at(
    boot: BootDescription, schema: Schema, url: DatabaseUrl, is_chosen: Choice, does: str
) -> Replay:
    project = open_project(boot.alembic_config, url)
    project.load(project.history.revisions)  # a module must not keep the URL of the scratch
    with connected(schema.url) as real, connected(url) as scratch:
        caller = read_caller(real, scratch)
    replay = Replay(url, project, caller=caller, is_chosen=is_chosen)
    _log.info("%s", does)
    with pointed_at(boot, url), said_meanwhile(lambda: _log.info("Replayed %s", replay)):
        replay.run()
    return replay


def _match(schema: Schema, replay: Replay) -> Matches:
    """Compare the schema with the points; read it last, so that the result is recent."""
    return match_schema(_read(schema, replay.other_schemas, read_catalogue), replay.points)


def _read(schema: Schema, others: frozenset[str], reader: Callable[..., Catalogue]) -> Catalogue:
    """Read the schema. Raises LockTimeoutError if a table stays locked."""
    lock_timeout = schema.policy.traffic_timeout
    limited = partial(reader, lock_timeout=lock_timeout)
    with (
        connected(schema.url) as connection,
        said_meanwhile(lambda: _log.info("Reading the schema; locked tables may delay this")),
    ):
        lift(connection)
        try:
            return read_beside(connection, schema.version_table, others, schema.extent, limited)
        except errors.LockNotAvailable as error:
            who = lockers(connection) or "a session that has just ended"
            raise LockTimeoutError(
                f"The schema cannot be read: a table was locked for more than {lock_timeout:g} s, "
                f"by {who}.",
                "Let that end, and start again. Nothing was changed.",
            ) from error
