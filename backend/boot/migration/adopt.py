"""Adopt a database that was made without Alembic: find the revision that it is, and record it."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from alembic.runtime.migration import MigrationContext

from backend.boot.catalogue.likeness import Likenesses, liken
from backend.boot.description import BootDescription
from backend.boot.environment.failures import way_out
from backend.boot.environment.opening import open_project
from backend.boot.errors import (
    ConfigurationError,
    MigrationFailedError,
    SchemaUnmanagedError,
)
from backend.boot.exclusive.fence import exclusively
from backend.boot.exclusive.guard import Guard
from backend.boot.exclusive.lock import SchemaLock
from backend.boot.exclusive.recorder import recording
from backend.boot.migration.choice import choose, resolve
from backend.boot.migration.extent import read_beside
from backend.boot.migration.leftovers import remove_leftovers
from backend.boot.migration.points import Replay
from backend.boot.migration.scratch import scratch_database
from backend.boot.postgres.connection import connected
from backend.boot.postgres.identity import server
from backend.boot.postgres.pooler import naming_pooler
from backend.boot.postgres.urls import DatabaseUrl
from backend.boot.progress import said_meanwhile
from backend.boot.state.inspection import SchemaState
from backend.boot.state.plan import some
from backend.boot.state.schema import Schema, open_schema

_log = logging.getLogger(__name__)

_UNCHANGED = " Nothing was changed."


def adopt(boot: BootDescription, revision: str | None = None, *, dry_run: bool = False) -> None:
    """Record the revision that an unmanaged database is; `revision` chooses among equal ones.

    Raises SchemaUnmanagedError where it is none, or several and none was chosen; nothing is
    changed then.
    """
    with naming_pooler(boot.migration_database_url):
        _adopt(boot, revision, dry_run=dry_run)


def _adopt(boot: BootDescription, revision: str | None, *, dry_run: bool) -> None:
    project = open_project(boot.alembic_config, boot.migration_database_url)
    schema = open_schema(boot.migration_database_url, project, boot.schema)
    remove_leftovers(schema.url)
    if not _is_unmanaged(schema):
        return
    if dry_run:
        found = find_revision(boot, schema, revision)
        _log.info("The database is as revision %s makes it: that would be recorded", found)
        return
    with exclusively(schema.url, schema.journal, boot.schema.lock_timeout) as lock:
        if _is_unmanaged(schema):
            adopt_locked(boot, schema, lock, revision)


def adopt_locked(
    boot: BootDescription, schema: Schema, lock: SchemaLock, revision: str | None = None
) -> None:
    """Do so while the lock is held."""
    found = find_revision(boot, schema, revision)
    with recording(schema.url, schema.journal, schema.project.history, boot.app_version) as it:
        try:
            _stamp(schema, found, Guard(lock, it, schema.policy.traffic_timeout).attach)
        finally:
            lock.on_loss = None
    _log.info("Adopted the database as revision %s", schema.label(found))


def find_revision(boot: BootDescription, schema: Schema, wanted: str | None = None) -> str:
    """Return the revision that makes the schema as it is; `wanted` chooses among equal ones.

    Raises SchemaUnmanagedError, and what the state would be refused by once that is recorded.
    """
    wanted = resolve(schema.project.history, wanted)
    tables = some(schema.tables())
    _log.info(
        "The database has tables (%s) but no revision recorded: replaying the history", tables
    )
    with _refusing(tables):
        likenesses = _liken(boot, schema)
    found = choose(likenesses, schema.project.history, wanted)
    # What would be refused as soon as it is recorded is not recorded either.
    plan = schema.decide(schema.supposing(schema.inspect(), found))
    if plan.refusal is not None:
        raise plan.refusal
    return found


def _liken(boot: BootDescription, schema: Schema) -> Likenesses:
    with scratch_database(boot) as url:
        project = open_project(boot.alembic_config, url)
        replay = Replay(url, project, is_alone=not _is_one_server(url, schema.url))
        with said_meanwhile(lambda: _log.info("Replayed %s", replay)):
            replay.run()
    # Last, so that it is as fresh as can be.
    with (
        connected(schema.url) as connection,
        said_meanwhile(lambda: _log.info("Reading the schema, as far as others let it be read")),
    ):
        found = read_beside(
            connection,
            schema.version_table,
            replay.other_schemas,
            schema.policy.traffic_timeout,
            schema.extent,
        )
    return liken(found, replay.points)


def _is_one_server(url: DatabaseUrl, other: DatabaseUrl) -> bool:
    with connected(url) as one, connected(other) as another:
        return server(one) == server(another)


@contextmanager
def _refusing(tables: str) -> Iterator[None]:
    """Turn what keeps the history from being replayed into a refusal of the database."""
    try:
        yield
    except (ConfigurationError, MigrationFailedError) as error:
        advice = error.advice.removesuffix(_UNCHANGED.strip()).rstrip()
        raise SchemaUnmanagedError(
            f"The database has tables ({tables}) but no revision recorded, and which one it is "
            f"cannot be found out: {error.what}",
            f"{advice}{' Or record' if advice else 'Record'} it yourself with "
            f"`alembic stamp REVISION`.{_UNCHANGED}",
        ) from error


def _is_unmanaged(schema: Schema) -> bool:
    inspection = schema.inspect()
    if inspection.state is SchemaState.UNMANAGED:
        return True
    where = ", ".join(inspection.current) or "base"
    _log.info("There is nothing to adopt: the database is %s, at %s", inspection.state, where)
    return False


def _stamp(schema: Schema, revision: str, watch: Callable[[MigrationContext], None]) -> None:
    project = schema.project

    def failed(error: BaseException) -> MigrationFailedError:
        return MigrationFailedError(
            f"Revision {revision} could not be recorded: {project.describe(error)}.",
            f"Nothing was changed. {way_out(error)}",
        )

    project.run(lambda current, _context: project.stamps(revision, current), watch, failed=failed)
    if schema.inspect().current != (revision,):
        raise MigrationFailedError(
            f"Revision {revision} was recorded, but the database does not have it.",
            "env.py left its transaction uncommitted, or works on another database.",
        )
