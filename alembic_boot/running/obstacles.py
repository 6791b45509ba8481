"""Obstacles that are known before a migration asks for its first lock."""

from collections.abc import Iterator
from dataclasses import dataclass

from psycopg2.extensions import connection as Connection

from alembic_boot.running.blockers import PreparedTransaction, prepared_transactions

# A role may not see the query of a vacuum. Then the table's age tells: beyond these limits each
# autovacuum is one against wraparound, and such a vacuum does not cancel itself.
_VACUUMS = """
SELECT l.pid, format('%I.%I', n.nspname, c.relname)
FROM pg_locks l
JOIN pg_stat_activity a ON a.pid = l.pid
JOIN pg_class c ON c.oid = l.relation
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE l.locktype = 'relation' AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND c.relkind IN ('r', 'm', 't') AND a.usesysid IS NULL
  AND (a.query LIKE 'autovacuum: %(to prevent wraparound)'
    OR a.query NOT LIKE 'autovacuum: %'
      AND (age(c.relfrozenxid) > least(
          current_setting('autovacuum_freeze_max_age')::bigint,
          (SELECT option_value::bigint FROM pg_options_to_table(c.reloptions)
           WHERE option_name = 'autovacuum_freeze_max_age'))
        OR mxid_age(c.relminmxid) > least(
          current_setting('autovacuum_multixact_freeze_max_age')::bigint,
          (SELECT option_value::bigint FROM pg_options_to_table(c.reloptions)
           WHERE option_name = 'autovacuum_multixact_freeze_max_age'))))
ORDER BY 1
"""

# pg_dump may have another application_name (PGAPPNAME). Then its statements identify it, if they
# are visible: COPY of a whole table, its LOCK TABLE, or its cursor for INSERTs.
_DUMPS = """
SELECT a.pid, a.application_name FROM pg_stat_activity a
WHERE a.datname = current_database()
  AND (a.application_name = 'pg_dump'
    OR a.query ~ '^(COPY .* TO stdout;|LOCK TABLE .* IN ACCESS SHARE MODE)$'
    OR a.query ~ '^(DECLARE|FETCH .* FROM) _pg_dump_cursor')
  AND EXISTS (SELECT FROM pg_locks l
              WHERE l.pid = a.pid AND l.locktype = 'relation' AND l.mode = 'AccessShareLock')
ORDER BY 1
"""


@dataclass(frozen=True)
class Obstacles:
    """Sessions and transactions of one database that keep locks for a long time."""

    vacuums: tuple[tuple[int, str], ...] = ()
    """Backend and table of each vacuum against wraparound."""
    dumps: tuple[tuple[int, str], ...] = ()
    """Backend and name of each pg_dump that has tables open."""
    prepared: tuple[PreparedTransaction, ...] = ()

    def sentences(self) -> Iterator[str]:
        """Return a sentence for each obstacle, with its effect."""
        for pid, table in self.vacuums:
            yield (
                f"In the way: a vacuum of {table} against wraparound (backend {pid}), which does "
                "not end for a lock request. Migrations of that table wait until it ends."
            )
        for pid, name in self.dumps:
            who = f"backend {pid}" if name in ("", "pg_dump") else f"backend {pid}, {name}"
            yield (
                f"In the way: pg_dump ({who}). Tables that it dumps cannot be altered until it "
                "ends."
            )
        for transaction in self.prepared:
            yield (
                f"In the way: {transaction}. It keeps its locks until it is ended: run "
                "COMMIT PREPARED or ROLLBACK PREPARED."
            )


def find_obstacles(connection: Connection) -> Obstacles:
    """Return the obstacles in the connection's database now."""
    with connection.cursor() as cursor:
        cursor.execute(_VACUUMS)
        vacuums = tuple(cursor.fetchall())
        cursor.execute(_DUMPS)
        dumps = tuple(cursor.fetchall())
    return Obstacles(vacuums, dumps, prepared_transactions(connection))
