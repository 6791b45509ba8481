"""The journal: a row for each revision that was ever run, who ran it, and how it ended."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from psycopg2.extensions import connection as Connection

from backend.boot.environment.version_table import VersionTable, literal, quoted
from backend.boot.postgres.advisory import AdvisoryKey
from backend.boot.state.inspection import Applied

JOURNAL_TABLE = "schema_journal"

LONGEST_ERROR = 2000
"""Characters of an error that are kept."""

_CREATE = """
CREATE TABLE IF NOT EXISTS {journal} (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version_table text NOT NULL,
    revision text NOT NULL,
    down_revision text,
    direction text NOT NULL CHECK (direction IN ('upgrade', 'downgrade', 'stamp')),
    phase text NOT NULL CHECK (phase IN ('expand', 'contract')),
    file_sha256 text,
    checksum text,
    status text NOT NULL CHECK (status IN ('running', 'applied', 'failed')),
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    duration_ms bigint,
    error text,
    host text NOT NULL,
    pid bigint NOT NULL,
    backend_pid integer,
    backend_start timestamptz,
    session_key bigint,
    app_version text)
"""

# Its answer may be lost on the way, and it is sent again then.
_BEGIN = """
INSERT INTO {journal} (
    version_table, revision, down_revision, direction, phase, file_sha256, checksum, status,
    started_at, host, pid, backend_pid, backend_start, session_key, app_version)
SELECT
    %(version_table)s, %(revision)s, %(down_revision)s, %(direction)s, %(phase)s,
    %(file_sha256)s, %(checksum)s, 'running',
    clock_timestamp(), %(host)s, %(pid)s, %(backend_pid)s, %(backend_start)s, %(session_key)s,
    %(app_version)s
WHERE NOT EXISTS ({begun})
"""

_BEGUN = """
SELECT id FROM {journal}
WHERE session_key = %(session_key)s AND revision = %(revision)s AND direction = %(direction)s
  AND status = 'running'
"""

# Whoever finds the row no longer running has been taken for dead, and another went on.
_FINISH = """
UPDATE {journal}
SET status = {status}, error = {error}, finished_at = clock_timestamp(),
    duration_ms = round(extract(epoch FROM clock_timestamp() - started_at) * 1000)
WHERE id = {id} AND status = 'running'
"""

# What counts of a revision is how it came into the database last.
_APPLIED = """
SELECT revision, down_revision, phase, file_sha256, checksum
FROM (
    SELECT DISTINCT ON (revision) *
    FROM {journal}
    WHERE version_table = %s AND status = 'applied'
    ORDER BY revision, id DESC) AS latest
WHERE direction <> 'downgrade'
"""

_COLUMNS = (
    "revision",
    "down_revision",
    "direction",
    "phase",
    "file_sha256",
    "checksum",
    "status",
    "started_at",
    "finished_at",
    "duration_ms",
    "error",
    "host",
    "pid",
    "backend_pid",
    "backend_start",
    "app_version",
)
"""What `status` shows of a row."""

_LAST = f"""
SELECT {", ".join(_COLUMNS)}
FROM {{journal}}
WHERE version_table = %s
ORDER BY id DESC
LIMIT %s
"""  # noqa: S608 (the names above)

_OWN_COLUMNS = ("id", "version_table", "session_key")
"""What it has besides, for boot itself."""

_IS_JOURNAL = """
SELECT (
    SELECT c.relkind IN ('r', 'p')
       AND ARRAY[{columns}] <@ ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = c.oid)
    FROM pg_class c WHERE c.oid = to_regclass({name}))
"""

_RUNNING = """
SELECT id, revision, host, pid, started_at, session_key
FROM {journal}
WHERE version_table = %s AND status = 'running'
ORDER BY id
"""


class Direction(StrEnum):
    """What was done with a revision."""

    UPGRADE = "upgrade"
    DOWNGRADE = "downgrade"
    STAMP = "stamp"


@dataclass(frozen=True)
class Running:
    """A revision that somebody is running, or was when the process died."""

    id: int
    revision: str
    host: str
    pid: int
    since: str
    """The time of day, as the log has it."""
    session_key: int | None
    """By which the session at work can be told."""

    def __str__(self) -> str:
        return f"host {self.host}, process {self.pid}, since {self.since}, at {self.revision}"


@dataclass(frozen=True)
class Starter:
    """Who this process is, for the journal and for those who wait for it."""

    host: str
    pid: int
    app_version: str | None

    @classmethod
    def here(cls, app_version: str | None = None) -> "Starter":
        """Return this process."""
        return cls(socket.gethostname(), os.getpid(), app_version)

    def __str__(self) -> str:
        return f"host {self.host}, process {self.pid}"


@dataclass(frozen=True)
class Journal:
    """The journal of one version table; it lies beside it."""

    version_table: VersionTable

    @property
    def table(self) -> str:
        """The journal's own name, as SQL writes it."""
        return self.version_table.beside(JOURNAL_TABLE)

    def applied(self, connection: Connection) -> tuple[Applied, ...]:
        """Return what is in the database by the journal; nothing where there is no journal."""
        return tuple(
            Applied(revision, _split(parents), phase == "expand", sha256, checksum)
            for revision, parents, phase, sha256, checksum in self._rows(connection, _APPLIED)
        )

    def last(self, connection: Connection, number: int) -> list[dict[str, Any]]:
        """Return the newest rows, newest first, as JSON can say them."""
        rows = self._rows(connection, _LAST, number)
        return [
            {name: _as_json(value) for name, value in zip(_COLUMNS, row, strict=True)}
            for row in rows
        ]

    def running(self, connection: Connection) -> tuple[Running, ...]:
        """Return the rows of those at work, and of those who died at it."""
        return tuple(
            Running(id_, revision, host, pid, f"{since.astimezone():%H:%M:%S}", key)
            for id_, revision, host, pid, since, key in self._rows(connection, _RUNNING)
        )

    def begin(self, connection: Connection, row: Mapping[str, Any]) -> int:
        """Write the row of a revision that is about to run, and return its id."""
        values = {"version_table": self._name, **row}
        begun = _BEGUN.format(journal=self._escaped)
        with connection.cursor() as cursor:
            cursor.execute(_BEGIN.format(journal=self._escaped, begun=begun), values)
            cursor.execute(begun, values)
            [id_] = cursor.fetchone() or [0]
        return int(id_)

    def applied_statement(self, id_: int) -> str:
        """Return what turns a running row into an applied one, free of parameters."""
        return _FINISH.format(journal=self.table, id=int(id_), status="'applied'", error="NULL")

    def fail(self, connection: Connection, id_: int, error: str) -> None:
        """Say how a revision that is still marked as running has ended."""
        statement = _FINISH.format(journal=self._escaped, id="%s", status="'failed'", error="%s")
        with connection.cursor() as cursor:
            cursor.execute(statement, (_storable(error), id_))

    @property
    def shape_query(self) -> str:
        """SQL, free of parameters: NULL where there is no journal yet; false where its name is
        something else's, as that of a table of people's own.
        """
        columns = ", ".join(literal(name) for name in (*_COLUMNS, *_OWN_COLUMNS))
        return _IS_JOURNAL.format(name=literal(self.table), columns=columns)

    def is_readable(self, connection: Connection) -> bool:
        """Whether there is a journal, and this role may read it.

        To try and to fail would end a transaction.
        """
        may_read = f"has_table_privilege(to_regclass({literal(self.table)}), 'SELECT')"
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT ({self.shape_query}) AND {may_read}")
            return cursor.fetchone() == (True,)

    def create_statements(self, other_role: str) -> tuple[str, ...]:
        """Return what makes the journal, for two roles to write it: boot's and env.py's."""
        key = AdvisoryKey.named("journal", *self.version_table.path[:-1])
        create = _CREATE.format(journal=self.table)
        grant = f"GRANT SELECT, INSERT, UPDATE ON {self.table} TO {quoted(other_role)}"
        # Two histories of one schema have a lock each, and may get here at once.
        return (f"SELECT pg_advisory_xact_lock({key.number})", create, grant)

    @property
    def _escaped(self) -> str:
        """The journal's name in a statement with parameters, where % is a character of its own."""
        return self.table.replace("%", "%%")

    @property
    def _name(self) -> str:
        return ".".join(self.version_table.path)

    def _rows(self, connection: Connection, query: str, *more: object) -> list[tuple[Any, ...]]:
        if not self.is_readable(connection):
            return []
        with connection.cursor() as cursor:
            cursor.execute(query.format(journal=self._escaped), (self._name, *more))
            return cursor.fetchall()


def joined(parents: tuple[str, ...]) -> str | None:
    """Return parents as the journal writes them; None is the base."""
    return ",".join(parents) or None


def _storable(error: str) -> str:
    """Return as much of an error as is kept, in characters that every encoding has."""
    escaped = error.replace("\0", "\\0").encode("ascii", "backslashreplace").decode("ascii")
    return escaped[:LONGEST_ERROR]


def _split(parents: str | None) -> tuple[str, ...]:
    return tuple(parents.split(",")) if parents else ()


def _as_json(value: Any) -> Any:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
