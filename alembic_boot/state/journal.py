"""The journal: one row per run of a revision, with its process and its result."""

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from psycopg2.extensions import connection as Connection

from alembic_boot.environment.version_table import VersionTable
from alembic_boot.errors import LoginRefusedError
from alembic_boot.postgres.advisory import AdvisoryKey
from alembic_boot.sql.writing import literal, quoted, value
from alembic_boot.state import journal_queries as queries
from alembic_boot.state.access import Access, asking
from alembic_boot.state.journal_queries import JOURNAL_TABLE
from alembic_boot.state.journal_rows import Applied, Running, Unfinished

LONGEST_ERROR = 2000
"""Characters of an error that are stored."""


class Direction(StrEnum):
    """The operation on a revision."""

    UPGRADE = "upgrade"
    DOWNGRADE = "downgrade"
    STAMP = "stamp"


@dataclass(frozen=True)
class Starter:
    """The identity of this process, for the journal and for waiting processes."""

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
    """The journal of one version table, in the same schema."""

    version_table: VersionTable

    @property
    def table(self) -> str:
        """Return the journal's name as SQL writes it."""
        return self.version_table.beside(JOURNAL_TABLE)

    def applied(self, connection: Connection) -> tuple[Applied, ...]:
        """Return the applied revisions by the journal; none without a journal."""
        return tuple(map(_applied, self._rows(connection, queries.APPLIED)))

    def read(
        self, connection: Connection, agreed: str | None
    ) -> tuple[tuple[Applied, ...], LoginRefusedError | None, str]:
        """Return the applied revisions, the error for rows that stay hidden, and the `digest_of`.

        The revisions are read only if the digest is not the agreed one. It is empty if there is no
        row.
        """
        rights = self._rights(connection)
        if rights is None:
            return (), None, ""
        if refusal := rights.refusal():
            return (), refusal, ""
        [(digest,)] = self._query(connection, queries.DIGEST)
        rows = self._query(connection, queries.APPLIED) if digest not in (None, agreed) else []
        refusal = rights.why_incomplete(asking(connection), 0)
        return tuple(map(_applied, rows)), refusal, digest or ""

    def ends_at_base(self, connection: Connection) -> bool:
        """Return whether the last change was a downgrade to base, or a stamp of base."""
        return bool(self._rows(connection, queries.ENDS_AT_BASE))

    def last(self, connection: Connection, number: int) -> list[dict[str, Any]]:
        """Return the newest rows, newest first, as values for JSON."""
        rows = self.newest(connection, number)
        return [
            {
                name: it.astimezone(UTC).isoformat() if isinstance(it, datetime) else it
                for name, it in row.items()
            }
            for row in rows
        ]

    def newest(
        self, connection: Connection, number: int, skipped: int = 0, revision: str | None = None
    ) -> list[dict[str, Any]]:
        """Return the newest rows after the skipped ones, newest first; of one revision, or all."""
        rows = self._rows(connection, queries.LAST, revision, revision, number, skipped)
        return [dict(zip(queries.COLUMNS, row, strict=True)) for row in rows]

    def running(self, connection: Connection) -> tuple[Running, ...]:
        """Return the rows of running revisions, and of those whose process died."""
        return tuple(
            Running(id_, revision, host, pid, _time_of_day(since), key)
            for id_, revision, host, pid, since, key in self._rows(connection, queries.RUNNING)
        )

    def unfinished(self, connection: Connection) -> tuple[Unfinished, ...]:
        """Return the last attempts of revisions that failed."""
        return tuple(
            Unfinished(id_, revision, direction, sha256, _as_before(committed or ""))
            for id_, revision, direction, sha256, committed in self._rows(
                connection, queries.UNFINISHED
            )
        )

    def begin(self, connection: Connection, row: Mapping[str, Any]) -> int:
        """Write the row of a revision that is about to run, and return its id."""
        values = {"version_table": self._name, **row}
        with connection.cursor() as cursor:
            cursor.execute(queries.BEGIN.format(journal=self._escaped), values)
            [(id_,)] = cursor.fetchall()
        return int(id_)

    def applied_statement(self, rows: Sequence[int], condition: str) -> str:
        """Return SQL that marks running rows as applied if the condition is true.

        `condition` is SQL; the statement has no parameters.
        """
        ids = ", ".join(map(str, rows))
        finish = queries.FINISH.format(
            journal=self.table, ids=ids, status="'applied'", error="NULL"
        )
        return f"{finish} AND {condition}"

    def moving_query(
        self,
        rows: Sequence[int],
        moved: tuple[str, str],
        condition: str,
        following: Mapping[str, Any] | None,
    ) -> str:
        """Return SQL, without parameters, that replaces a row of the version table by another.

        In the same statement, running rows are marked as applied, and the row of the revision that
        follows is written. The query returns the id of that row, or 0 if none follows. It returns
        nothing, and changes nothing, if the condition is false.
        """
        before, after = map(literal, moved)
        query = queries.MOVE.format(
            applied=self.applied_statement(rows, condition),
            version_table=self.version_table,
            count=len(rows),
            before=before,
            after=after,
        )
        if following is None:
            return query + queries.NOTHING_FOLLOWS
        row = {"version_table": self._name, **following}
        return query + queries.FOLLOWING.format(
            journal=self.table, columns=", ".join(row), values=", ".join(map(value, row.values()))
        )

    def committed_statement(self, id_: int, text: str) -> str:
        """Return SQL, without parameters, that notes the committed part in a running row."""
        noted = literal(_storable(text))
        return queries.NOTE_COMMITTED.format(journal=self.table, id=int(id_), text=noted)

    def fail(self, connection: Connection, id_: int, error: str) -> None:
        """Record the failure of a revision that is still marked as running."""
        statement = queries.FINISH.format(
            journal=self._escaped, ids="%s", status="'failed'", error="%s"
        )
        with connection.cursor() as cursor:
            cursor.execute(statement, (_storable(error), id_))

    @property
    def shape_query(self) -> str:
        """Return SQL, without parameters, that checks the journal's form.

        The result is NULL if there is no journal yet, and false if another object has its name,
        such as a user's table, or if a column has another type or may be NULL.
        """
        columns = ", ".join(literal(f"{name} {it}") for name, it in queries.TYPES.items())
        return queries.IS_JOURNAL.format(name=literal(self.table), columns=columns)

    def why_unseen(self, connection: Connection) -> LoginRefusedError | None:
        """Return the error to raise if this role cannot see all rows of an existing journal."""
        rights = self._rights(connection)
        if rights is None:
            return None
        return rights.refusal() or rights.why_incomplete(asking(connection), 0)

    def _rights(self, connection: Connection) -> Access | None:
        """Return the role's rights on the journal; None if there is none.

        A failed attempt to read would end the transaction.
        """
        with connection.cursor() as cursor:
            name = literal(self.table)
            cursor.execute(queries.RIGHTS.format(name=name, shape=self.shape_query))
            found = cursor.fetchone()
        return None if found is None else Access(self.table, *found)

    def create_statements(self, other_role: str) -> tuple[str, ...]:
        """Return the SQL that creates the journal, writable for two roles: boot's and env.py's."""
        create = queries.CREATE.format(journal=self.table)
        grant = f"GRANT SELECT, INSERT, UPDATE ON {self.table} TO {quoted(other_role)}"
        # Two histories of one schema have separate locks, and may get here at once.
        return (f"SELECT pg_advisory_xact_lock({self.making_key})", create, grant)

    @property
    def making_key(self) -> int:
        """Return the advisory lock for creating the journal of a schema."""
        return AdvisoryKey.named("journal", *self.version_table.path[:-1]).number

    @property
    def _escaped(self) -> str:
        """Return the journal's name for a statement with parameters, in which % must be doubled."""
        return self.table.replace("%", "%%")

    @property
    def _name(self) -> str:
        return ".".join(self.version_table.path)

    def _rows(self, connection: Connection, query: str, *more: object) -> list[tuple[Any, ...]]:
        rights = self._rights(connection)
        return self._query(connection, query, *more) if rights and rights.may_read else []

    def _query(self, connection: Connection, query: str, *more: object) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(query.format(journal=self._escaped), (self._name, *more))
            return cursor.fetchall()


def joined(parents: tuple[str, ...]) -> str | None:
    """Return parents as the journal stores them; None is the base."""
    return ",".join(parents) or None


def _storable(error: str) -> str:
    """Return the stored part of an error, in characters that every encoding has."""
    escaped = error.replace("\0", "\\0").encode("ascii", "backslashreplace").decode("ascii")
    return escaped[:LONGEST_ERROR]


def _as_before(stored: str) -> str:
    """Return the committed part as it was before it was made `_storable`."""
    return stored.replace(r"\u2026", "…")


def _split(parents: str | None) -> tuple[str, ...]:
    return tuple(parents.split(",")) if parents else ()


def _time_of_day(at: datetime | None) -> str:
    """Return a time as the log has it; None is one that cannot be read."""
    return f"{at.astimezone():%H:%M:%S}" if at else "an unknown time"


def _applied(row: tuple[Any, ...]) -> Applied:
    revision, parents, phase, *columns, former = row
    entry = Applied(revision, _split(parents), phase == "expand", *columns)
    return replace(entry, former=tuple(former)) if former else entry
