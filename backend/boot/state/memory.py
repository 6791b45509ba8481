"""What a thorough look found last, and whether everything is still as it was then.

The thorough look takes Alembic, env.py and every revision's file; it leaves a note in the database
when it found the schema at its target. As long as not a byte of all that has changed, nor a row of
the version table or the journal, it would find the same again. Nothing is parsed here, so nothing
can be taken for what it is not; where anything differs, or is not as expected, nobody knows.
"""

import json
import logging
import os
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from backend.boot.description import BootDescription, SchemaPolicy
from backend.boot.environment.version_table import VersionTable
from backend.boot.revisions.history import Target
from backend.boot.state.inspection import Inspection, SchemaState
from backend.boot.state.journal import JOURNAL_TABLE, Journal

_log = logging.getLogger(__name__)

_FORMAT = 1
"""Of the note, and of what a thorough look is: another one knows nothing of these."""

# The note is the journal's comment: people's tools leave it alone, and a dump takes it along.
_NOTES = """
SELECT d.description
FROM pg_class c
JOIN pg_description d ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0
WHERE c.relname = %s AND c.relkind IN ('r', 'p')
"""

_ROWS = """
SELECT (SELECT array_agg(version_num::text) FROM {version_table}),
       (SELECT max(id) FROM {journal})
"""

_PATIENCE = "1s"


@dataclass(frozen=True)
class Sources:
    """The files that say where a schema should be, relative to the configuration's folder."""

    env: str
    folders: tuple[str, ...]
    """Where the revisions are."""

    def digest(self, config: Path, policy: SchemaPolicy) -> str:
        """Return a hash of every byte that a thorough look would read. Raises OSError."""
        base = config.parent
        digest = sha256(f"{_FORMAT} {policy.target} {policy.refuse_edited}".encode())
        for path in (config, base / self.env):
            _add(digest, path.name, path)
        for folder in self.folders:
            digest.update(f"\0{folder}\0".encode())
            with os.scandir(base / folder) as entries:
                names = sorted(entry.name for entry in entries if entry.name.endswith(".py"))
            for name in names:
                _add(digest, name, f"{base / folder}/{name}")
        return digest.hexdigest()


def _add(digest: Any, name: str, path: Path | str) -> None:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 (thousands of them)
        content = file.read()
    digest.update(b"%d %s %d\0" % (len(name), name.encode(), len(content)))
    digest.update(content)


@dataclass(frozen=True)
class Memory:
    """A schema that was at its target, with all that this was concluded from."""

    sources: Sources
    digest: str
    version_table: VersionTable
    current: tuple[str, ...]
    """The rows of the version table."""
    journal_id: int | None
    """The journal's newest row."""
    target: Target
    heads: tuple[str, ...]

    @property
    def inspection(self) -> Inspection:
        """What the thorough look would say."""
        return Inspection(
            state=SchemaState.CURRENT,
            current=self.current,
            target=self.target,
            heads=self.heads,
            pending=(),
            beyond=(),
            unknown=(),
            tables=(),
        )


def recall(boot: BootDescription, connection: Connection) -> Memory | None:
    """Return what is remembered of a schema that is as it was; None where nobody knows.

    Never raises for that: whoever looks thoroughly will see what is the matter.
    """
    if boot.schema.rollback:
        return None
    try:
        known = [it for it in _read(connection) if _is_unchanged(it, boot)]
        return known[0] if len(known) == 1 and _is_there(known[0], connection) else None
    except (psycopg2.Error, OSError, ValueError, KeyError, TypeError) as error:
        _log.debug("What is remembered of the schema cannot be used: %s", error)
        return None


def _is_unchanged(memory: Memory, boot: BootDescription) -> bool:
    return memory.sources.digest(boot.alembic_config, boot.schema) == memory.digest


def _is_there(memory: Memory, connection: Connection) -> bool:
    return rows(connection, memory.version_table) == (memory.current, memory.journal_id)


def rows(connection: Connection, version_table: VersionTable) -> tuple[tuple[str, ...], int | None]:
    """Return the version table's rows, sorted, and the journal's newest, of one moment."""
    journal = Journal(version_table).table
    with connection.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            cursor.execute(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
            cursor.execute(_ROWS.format(version_table=version_table, journal=journal))
            [(current, newest)] = cursor.fetchall()
        finally:
            cursor.execute("ROLLBACK")
    return tuple(sorted(current or ())), newest


def _read(connection: Connection) -> list[Memory]:
    with connection.cursor() as cursor:
        cursor.execute(_NOTES, (JOURNAL_TABLE,))
        return [memory for (text,) in cursor.fetchall() for memory in memories(text).values()]


def memories(note: str | None) -> dict[str, Memory]:
    """Return what a note says, by version table; nothing where it is no note of ours."""
    try:
        noted = json.loads(note or "")
        if noted["boot"] != _FORMAT:
            return {}
        return {name: _memory(it) for name, it in noted["seen"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def note_of(known: dict[str, Memory]) -> str:
    """Return the note that says this."""
    return json.dumps({"boot": _FORMAT, "seen": {name: asdict(it) for name, it in known.items()}})


def _memory(noted: dict[str, Any]) -> Memory:
    sources, table, target = noted["sources"], noted["version_table"], noted["target"]
    return Memory(
        sources=Sources(str(sources["env"]), tuple(map(str, sources["folders"]))),
        digest=str(noted["digest"]),
        version_table=VersionTable(str(table["name"]), str(table["schema"])),
        current=tuple(map(str, noted["current"])),
        journal_id=noted["journal_id"],
        target=Target(str(target["name"]), tuple(map(str, target["revisions"]))),
        heads=tuple(map(str, noted["heads"])),
    )
