"""Progress of long statements: the phase of an index build, and the sessions that block it."""

import logging
from collections.abc import Sequence

from psycopg2.extensions import connection as Connection

from alembic_boot.output.log_fields import fields
from alembic_boot.running.blockers import AnyBlocker, listed
from alembic_boot.situation import Build, note

_log = logging.getLogger(__name__)

_INTERVAL, _PATIENCE, _REPEAT = 1.0, 2.0, 5.0
"""Seconds between two looks, before the first line, and before each further line."""

_BUILDS = """
SELECT coalesce(nullif(index_relid, 0), relid)::regclass::text, phase,
    CASE WHEN blocks_total > 0 THEN blocks_done ELSE tuples_done END,
    CASE WHEN blocks_total > 0 THEN blocks_total ELSE tuples_total END
FROM pg_stat_progress_create_index WHERE pid IN ({holder})
"""


class LongWork:
    """Reports the progress of the migration's session, which the query `holder` returns."""

    def __init__(self, connection: Connection, holder: str, label: str) -> None:
        self._connection = connection
        self._holder = holder
        self._label = label
        self._next_look = float("-inf")
        self._waits_since: float | None = None
        self._builds_since: float | None = None
        self._said_at = float("-inf")
        self._has_noted = False

    def look(self, blockers: Sequence[AnyBlocker], now: float, *, is_waiting: bool) -> None:
        """Look again if it is time; `blockers` are the sessions that were seen last."""
        self._waits_since = (self._waits_since or now) if is_waiting else None
        if now < self._next_look:
            return
        self._next_look = now + _INTERVAL
        builds = self._builds()
        self._builds_since = (self._builds_since or now) if builds else None
        shown = builds if _is_long(self._builds_since, now) else []
        facts = list(map(str, shown))
        blocked_by = listed(blockers) if _is_long(self._waits_since, now) else None
        if blocked_by:
            facts.append(f"waiting for {blocked_by}")
        self._note(facts, shown[0] if shown else None, blocked_by)
        if facts and now - self._said_at >= _REPEAT:
            self._said_at = now
            running = fields("running", label=self._label, blocked_by=blocked_by)
            _log.info("Migration %s: %s", self._label, ", ".join(facts), extra=running)

    def _note(self, facts: Sequence[str], build: Build | None, blocked_by: str | None) -> None:
        if facts:
            reason = f"Migration {self._label}: {', '.join(facts)}"
            note(reason=reason, build=build, blocked_by=blocked_by)
        elif self._has_noted:
            note(reason=None, build=None, blocked_by=None)
        self._has_noted = bool(facts)

    def _builds(self) -> list[Build]:
        with self._connection.cursor() as cursor:
            cursor.execute(_BUILDS.format(holder=self._holder))
            return [Build(*row) for row in cursor.fetchall()]


def _is_long(since: float | None, now: float) -> bool:
    return since is not None and now - since >= _PATIENCE
