"""Remove what an interrupted concurrent index build has left, before the next build."""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from alembic_boot.environment.session import MigrationSession
from alembic_boot.errors import BootError
from alembic_boot.running.index_build import (
    Found,
    IndexBuild,
    Reindex,
    Scope,
    Step,
    next_step,
    parse_build,
    parse_reindex,
)
from alembic_boot.running.lock_check import LockCheck
from alembic_boot.sql.writing import literal

_log = logging.getLogger(__name__)

# Every role sees that a session builds an index, and its locks. Only some roles see which index.
# One session at a time builds concurrently on a table. A vacuum takes the same lock.
_BUILDER = """
SELECT l.pid, (
    SELECT format('%I.%I', n.nspname, c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = p.index_relid)
FROM pg_locks l
JOIN pg_stat_progress_create_index p ON p.pid = l.pid AND p.datname = current_database()
WHERE l.locktype = 'relation' AND l.relation = {table}
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted AND l.pid <> pg_backend_pid()
LIMIT 1
"""

# A cast to a name cuts it short as PostgreSQL does where a statement has it.
_FIND = """
SELECT CASE
    WHEN i.indrelid IS DISTINCT FROM t.oid OR c.relkind <> 'i' OR c.relispartition THEN 'other'
    WHEN i.indisvalid THEN 'valid'
    ELSE 'invalid' END, format('%I.%I', n.nspname, c.relname)
FROM pg_class t
JOIN pg_namespace n ON n.oid = t.relnamespace
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = (parse_ident({name}))[1]::name
LEFT JOIN pg_index i ON i.indexrelid = c.oid
WHERE t.oid = to_regclass({table})
"""

# The indexes that a REINDEX builds beside others, and those that it has replaced. An index of TOAST
# belongs to its table.
_LEFT_OVER = """
SELECT format('%I.%I', n.nspname, c.relname), has_schema_privilege(n.oid, 'USAGE'),
    format('%I.%I', tn.nspname, t.relname), t.oid::bigint
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid AND c.relkind = 'i' AND NOT i.indisvalid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class t ON t.oid = i.indrelid
JOIN pg_namespace tn ON tn.oid = t.relnamespace
LEFT JOIN pg_class o ON o.reltoastrelid = t.oid
WHERE c.relname ~ '_cc(new|old)[0-9]*$' AND pg_has_role(c.relowner, 'USAGE')
  AND coalesce(o.oid, t.oid) IN ({tables})
ORDER BY 2 DESC, 1 LIMIT 1
"""
_TABLES = {
    Scope.INDEX: """
        SELECT indrelid FROM pg_index WHERE indexrelid = to_regclass({name})
            OR indexrelid IN (SELECT relid FROM pg_partition_tree(to_regclass({name})))""",
    Scope.TABLE: """
        SELECT to_regclass({name})
        UNION SELECT relid FROM pg_partition_tree(to_regclass({name}))""",
    Scope.SCHEMA: "SELECT oid FROM pg_class WHERE relnamespace = to_regnamespace({name})",
    Scope.DATABASE: "SELECT oid FROM pg_class",
}

_ONLY_FOR_SUPERUSERS = "left by a REINDEX that was cut short: only a superuser can drop it"

_LIKE = "boot_likeness"

_DEFINITIONS = """
SELECT split_part(pg_get_indexdef(to_regclass({built})), ' USING ', 2)
     = split_part(pg_get_indexdef(to_regclass({there})), ' USING ', 2)
   AND (SELECT count(DISTINCT indisunique) = 1 FROM pg_index
        WHERE indexrelid IN (to_regclass({built}), to_regclass({there})))
"""


@dataclass(frozen=True)
class _Builder:
    pid: int
    index: str | None
    """The index that it builds; None if that is hidden, or if the index does not exist yet."""


@dataclass(frozen=True)
class _LeftOver:
    name: str
    is_ours: bool
    """Whether this role can drop it: only a superuser can drop an index of TOAST."""
    table: str
    table_oid: int


class Indexes:
    """Concurrent index builds in the migration's session, outside of any transaction.

    `wait` is called again and again while another session builds, with the index and the backend.
    """

    def __init__(
        self, session: MigrationSession, lock_check: LockCheck, wait: Callable[[str, int], None]
    ) -> None:
        self._session = session
        self._lock_check = lock_check
        self._wait = wait

    def run(self, statement: str, execute: Callable[[], object], *, is_again: bool) -> None:
        """Execute a statement that builds an index, unless the index exists already.

        An invalid index of the same name is dropped first. `is_again` says that an earlier try of
        the revision has failed.
        """
        if reindex := parse_reindex(statement):
            self._clear(reindex)
        build = parse_build(statement)
        if build is None or not self._is_done(build, is_again=is_again):
            execute()

    def warn(self, statement: str) -> None:
        """Log the invalid index that a failed statement has left."""
        build, reindex = parse_build(statement), parse_reindex(statement)
        driver: Any = self._session.connection.dialect.loaded_dbapi
        with suppress(driver.Error, BootError):  # what has failed is said anyway
            if self._session.connection.invalidated:
                return
            if build and self._builder(build.table) is None:
                found, name = self._find(build)
                if found is Found.INVALID:
                    _log.warning(
                        "Index %s is INVALID now: no query uses it, and every write pays for it. "
                        "The next run drops it and builds it again",
                        name,
                    )
            left = self._left_over(reindex) if reindex else None
            if left and self._builder(left.table_oid) is None:
                what = "left over: the next run drops it" if left.is_ours else _ONLY_FOR_SUPERUSERS
                _log.warning("Index %s is INVALID, %s", left.name, what)

    def _is_done(self, build: IndexBuild, *, is_again: bool) -> bool:
        """Return whether the index exists already; otherwise the statement can run now."""
        while True:
            # The order matters: a build that begins after this look finds the name taken.
            builder = self._builder(build.table)
            found, name = self._find(build)
            is_again = is_again or (builder is not None and builder.index in (None, name))
            step = next_step(
                found,
                is_being_built=builder is not None,
                is_lenient=build.is_lenient,
                is_again=is_again,
            )
            if step is Step.WAIT and builder is not None:
                self._wait_for(builder, build.table)
            elif step is Step.DROP:
                self._drop_invalid(
                    name, "left by a build that was cut short", ", to build it again"
                )
            elif step is Step.KEEP:
                _log.info(
                    "Index %s exists already and is kept, because the statement says IF NOT EXISTS",
                    name,
                )
                return True
            elif step is Step.COMPARE and self._is_same(build, name):
                _log.info(
                    "Index %s exists already with the definition of the revision, and is kept", name
                )
                return True
            else:
                return False

    def _clear(self, reindex: Reindex) -> None:
        """Drop what an interrupted REINDEX has left: the next REINDEX builds a new index."""
        while left := self._left_over(reindex):
            if builder := self._builder(left.table_oid):
                self._wait_for(builder, left.table)
            elif left.is_ours:
                self._drop_invalid(left.name, "left by a REINDEX that was cut short", "")
            else:
                _log.warning("Index %s is INVALID, %s", left.name, _ONLY_FOR_SUPERUSERS)
                return

    def _drop_invalid(self, name: str, why: str, what_for: str) -> None:
        _log.warning("Index %s is INVALID, %s: dropping it%s", name, why, what_for)
        self._lock_check.tell(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")

    def _wait_for(self, builder: _Builder, table: str) -> None:
        what = f"index {builder.index}" if builder.index else f"an index on {table}"
        self._wait(what, builder.pid)

    def _builder(self, table: str | int) -> _Builder | None:
        """Return the session that builds an index on a table, which has this name or number."""
        relation = table if isinstance(table, int) else f"to_regclass({literal(table)})"
        row = self._session.ask(_BUILDER.format(table=relation))
        return None if row is None else _Builder(*row)

    def _find(self, build: IndexBuild) -> tuple[Found, str]:
        query = _FIND.format(name=literal(build.name), table=literal(build.table))
        found, name = self._session.ask(query) or (Found.NOTHING, "")
        return Found(found), name

    def _left_over(self, reindex: Reindex) -> _LeftOver | None:
        tables = _TABLES[reindex.scope].format(name=literal(reindex.name))
        row = self._session.ask(_LEFT_OVER.format(tables=tables))
        return None if row is None else _LeftOver(*row)

    def _is_same(self, build: IndexBuild, name: str) -> bool:
        """Ask PostgreSQL: it builds the index on an empty table with the same columns."""
        session = self._session
        driver: Any = session.connection.dialect.loaded_dbapi
        session.tell("BEGIN")
        try:
            session.tell(f"CREATE TEMPORARY TABLE {_LIKE} (LIKE {build.table})")
            session.tell(build.on(f"pg_temp.{_LIKE}"))
            built = literal(f"pg_temp.{build.name}")
            return session.ask(_DEFINITIONS.format(built=built, there=literal(name)))[0] is True
        except driver.Error as error:  # no right to temporary tables, or none of its columns there
            _log.debug("The index could not be compared: %s", error)
            return False
        finally:
            session.tell("ROLLBACK")
