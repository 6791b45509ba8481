"""Make room for an index that is to be built concurrently, where an earlier build left one."""

import logging
from collections.abc import Callable
from typing import Any

from backend.boot.environment.session import MigrationSession
from backend.boot.environment.version_table import literal
from backend.boot.traffic.index_build import Found, IndexBuild, Step, next_step

_log = logging.getLogger(__name__)

# Its locks are everybody's to see, and so is that a process builds; on what it builds is not. A
# vacuum has the same lock, and builds nothing.
_BUILDERS = """
SELECT string_agg(l.pid::text, ',')
FROM pg_locks l
JOIN pg_stat_progress_create_index p ON p.pid = l.pid AND p.datname = current_database()
WHERE l.locktype = 'relation' AND l.relation = to_regclass({table})
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.mode = 'ShareUpdateExclusiveLock' AND l.pid <> pg_backend_pid()
"""

_FIND = """
SELECT CASE
    WHEN i.indrelid IS DISTINCT FROM t.oid OR c.relkind <> 'i' OR c.relispartition THEN 'other'
    WHEN i.indisvalid THEN 'valid'
    ELSE 'invalid' END, format('%I.%I', n.nspname, c.relname)
FROM pg_class t
JOIN pg_namespace n ON n.oid = t.relnamespace
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = (parse_ident({name}))[1]
LEFT JOIN pg_index i ON i.indexrelid = c.oid
WHERE t.oid = to_regclass({table})
"""

_LIKE = "boot_likeness"

_DEFINITIONS = """
SELECT split_part(pg_get_indexdef(to_regclass({built})), ' USING ', 2)
     = split_part(pg_get_indexdef(to_regclass({there})), ' USING ', 2)
   AND (SELECT count(DISTINCT indisunique) = 1 FROM pg_index
        WHERE indexrelid IN (to_regclass({built}), to_regclass({there})))
"""


class Indexes:
    """Looks after indexes with the migration's session, outside of any transaction.

    `drop` runs a statement of boot's own there, after a look at the lock; `wait` is called with
    the builders' processes until there are none.
    """

    def __init__(
        self,
        session: MigrationSession,
        drop: Callable[[str], object],
        wait: Callable[[IndexBuild, list[int]], None],
    ) -> None:
        self._session = session
        self._drop = drop
        self._wait = wait

    def is_done(self, build: IndexBuild, *, is_again: bool) -> bool:
        """Return whether an earlier try has built what the statement says; else it can run now."""
        has_waited = False
        while True:
            # In this order: who builds after this look finds the name taken.
            builders = self._builders(build)
            found, name = self._find(build)
            step = next_step(
                found,
                is_being_built=bool(builders),
                is_lenient=build.is_lenient,
                is_again=is_again or has_waited,
            )
            if step is Step.WAIT:
                has_waited = True
                self._wait(build, builders)
            elif step is Step.DROP:
                _log.warning(
                    "Index %s is INVALID, left by a build that was cut short: dropping it, to "
                    "build it again",
                    name,
                )
                self._drop(f"DROP INDEX CONCURRENTLY {name}")
            elif step is Step.COMPARE and self._is_same(build, name):
                _log.info("Index %s is there already, as the revision builds it: kept", name)
                return True
            else:
                return False

    def _builders(self, build: IndexBuild) -> list[int]:
        [pids] = self._session.ask(_BUILDERS.format(table=literal(build.table)))
        return [int(pid) for pid in pids.split(",")] if pids else []

    def _find(self, build: IndexBuild) -> tuple[Found, str]:
        query = _FIND.format(name=literal(build.name), table=literal(build.table))
        found, name = self._session.ask(query) or (Found.NOTHING, "")
        return Found(found), name

    def _is_same(self, build: IndexBuild, name: str) -> bool:
        """Have PostgreSQL say it: it builds the index on an empty table of the same columns."""
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
