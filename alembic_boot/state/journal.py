"""The journal: a row for each revision that was ever run, who ran it, and how it ended."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from psycopg2.extensions import connection as Connection

from alembic_boot.environment.version_table import VersionTable
from alembic_boot.errors import LoginRefusedError
from alembic_boot.postgres.advisory import AdvisoryKey
from alembic_boot.sql.writing import literal, quoted
from alembic_boot.state import journal_queries as queries
from alembic_boot.state.access import access, asking
from alembic_boot.state.inspection import Applied

JOURNAL_TABLE = "schema_journal"

LONGEST_ERROR = 2000
"""Characters of an error that are kept."""

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

_LAST = queries.LAST.format(columns=", ".join(_COLUMNS), journal="{journal}")

_OWN_COLUMNS = ("id", "version_table", "session_key")
"""What it has besides, for boot itself."""


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
class Unfinished:
    """The last try of a revision, which has failed."""

    id: int
    revision: str
    direction: str
    file_sha256: str | None
    committed: str | None
    """What it committed all the same, and what may do harm where it is done again."""


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
        return tuple(map(_applied, self._rows(connection, queries.APPLIED)))

    def digest(self, connection: Connection) -> str:
        """Return the `digest_of` what is in the database by the journal, as the server makes it.

        It is empty if there is no journal, or no row in it.
        """
        [digest] = [digest for (digest,) in self._rows(connection, queries.DIGEST)] or [None]
        return digest or ""

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
            for id_, revision, host, pid, since, key in self._rows(connection, queries.RUNNING)
        )

    def unfinished(self, connection: Connection) -> tuple[Unfinished, ...]:
        """Return the last tries of revisions, of those that failed at it."""
        return tuple(Unfinished(*row) for row in self._rows(connection, queries.UNFINISHED))

    def begin(self, connection: Connection, row: Mapping[str, Any]) -> int:
        """Write the row of a revision that is about to run, and return its id."""
        values = {"version_table": self._name, **row}
        with connection.cursor() as cursor:
            cursor.execute(queries.BEGIN.format(journal=self._escaped), values)
            [(id_,)] = cursor.fetchall()
        return int(id_)

    def applied_statement(self, id_: int, condition: str) -> str:
        """Return what turns a running row into an applied one, free of parameters, if that is true
        which is given as SQL.
        """
        finish = queries.FINISH.format(
            journal=self.table, id=int(id_), status="'applied'", error="NULL"
        )
        return f"{finish} AND {condition}"

    def committed_statement(self, id_: int, text: str) -> str:
        """Return what notes for a running row what it will have committed, free of parameters."""
        noted = literal(_storable(text))
        return queries.NOTE_COMMITTED.format(journal=self.table, id=int(id_), text=noted)

    def fail(self, connection: Connection, id_: int, error: str) -> None:
        """Say how a revision that is still marked as running has ended."""
        statement = queries.FINISH.format(
            journal=self._escaped, id="%s", status="'failed'", error="%s"
        )
        with connection.cursor() as cursor:
            cursor.execute(statement, (_storable(error), id_))

    @property
    def shape_query(self) -> str:
        """SQL, free of parameters: NULL where there is no journal yet; false where its name is
        something else's, as that of a table of people's own.
        """
        columns = ", ".join(literal(name) for name in (*_COLUMNS, *_OWN_COLUMNS))
        return queries.IS_JOURNAL.format(name=literal(self.table), columns=columns)

    @property
    def completeness_query(self) -> str:
        """SQL, free of parameters: false where the journal lacks what was added to it later."""
        return queries.HAS_COMMITTED.format(name=literal(self.table))

    @property
    def completing_statement(self) -> str:
        """What adds that."""
        return queries.ADD_COMMITTED.format(journal=self.table)

    def is_readable(self, connection: Connection) -> bool:
        """Whether there is a journal, and this role may read it.

        To try and to fail would end a transaction.
        """
        may_read = f"has_table_privilege(to_regclass({literal(self.table)}), 'SELECT')"
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT ({self.shape_query}) AND {may_read}")
            return cursor.fetchone() == (True,)

    def why_unseen(self, connection: Connection) -> LoginRefusedError | None:
        """Return what to raise where this role cannot see all rows of a journal that is there."""
        ask = asking(connection)
        found = access(ask, self.table)
        if found is None or (found.may_read and not found.may_hide):
            return None
        is_journal = ask(self.shape_query)
        return (found.refusal() or found.why_incomplete(ask, 0)) if is_journal else None

    def create_statements(self, other_role: str) -> tuple[str, ...]:
        """Return what makes the journal, for two roles to write it: boot's and env.py's."""
        create = queries.CREATE.format(journal=self.table)
        grant = f"GRANT SELECT, INSERT, UPDATE ON {self.table} TO {quoted(other_role)}"
        # Two histories of one schema have a lock each, and may get here at once.
        return (f"SELECT pg_advisory_xact_lock({self.making_key})", create, grant)

    @property
    def making_key(self) -> int:
        """The advisory lock under which the journal of a schema is made."""
        return AdvisoryKey.named("journal", *self.version_table.path[:-1]).number

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


def _applied(row: tuple[Any, ...]) -> Applied:
    revision, parents, phase, *columns, former = row
    entry = Applied(revision, _split(parents), phase == "expand", *columns)
    return replace(entry, former=tuple(former)) if former else entry
