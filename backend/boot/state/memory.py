"""What a thorough look found last, and whether everything is still as it was then.

The thorough look takes Alembic, env.py with all that this imports, and every revision's file; it
leaves a note in the database when it found the schema at its target. As long as not a byte of all
that has changed, nor the environment, nor a row of the version table or the journal, it would find
the same again. Nothing is parsed here, so nothing can be taken for what it is not; where anything
differs, or is not as expected, nobody knows.
"""

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from backend.boot.description import BootDescription, SchemaPolicy
from backend.boot.environment.surroundings import surroundings
from backend.boot.environment.version_table import VersionTable, literal, quoted
from backend.boot.revisions.history import Target
from backend.boot.state.inspection import Inspection, SchemaState
from backend.boot.state.journal import JOURNAL_TABLE, Journal

_log = logging.getLogger(__name__)

_FORMAT = 3
"""Of the note, and of what a thorough look is: another one knows nothing of these."""

# The note is the journal's comment: people's tools leave it alone, and a dump takes it along.
# Anybody can make a table by that name, if only a temporary one. Whose note counts is this role,
# the database's owner, or one that this role is a member of; but a superuser is one of all.
_NOTES = """
SELECT d.description
FROM pg_class c
JOIN pg_description d ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0
WHERE c.relname = %s AND c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
  AND (c.relowner = (SELECT datdba FROM pg_database WHERE datname = current_database())
    OR c.relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)
    OR pg_has_role(c.relowner, 'USAGE')
       AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user))
"""

_ROWS = """
SELECT (SELECT array_agg(version_num::text) FROM {version_table}),
       (SELECT max(id) FROM {journal}),
       current_schemas(false)::text[],
       (SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.oid = to_regclass({name}))
"""

_PATIENCE = "1s"

_CHUNK = 1 << 16
"""Bytes: nearly every file at once."""

_MOST = 8
"""Looks that are noted: from different places, of several histories in one schema."""


@dataclass(frozen=True)
class Sources:
    """The files that say where a schema should be, relative to the configuration's folder."""

    env: str
    folders: tuple[str, ...]
    """Where the revisions are."""
    modules: tuple[str, ...] = ()
    """The project's own that were loaded when env.py had run."""

    def digest(self, config: Path, policy: SchemaPolicy) -> str:
        """Return a hash of every byte that a thorough look would read. Raises OSError."""
        base = config.parent
        digest = sha256(f"{_FORMAT} {policy.target} {policy.refuse_edited}".encode())
        for path in (config, *(base / name for name in (self.env, *self.modules))):
            _add(digest, path.name, path)
        # One that was not there may have been looked for: `try: from local import TABLE`.
        for place in sorted({Path(name).parent for name in (self.env, *self.modules)}):
            digest.update("\0".join((str(place), *_modules(base / place))).encode())
        for folder in self.folders:
            digest.update(f"\0{folder}\0".encode())
            for name in _modules(base / folder):
                _add(digest, name, f"{base / folder}/{name}")
        return digest.hexdigest()


def _modules(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.name.endswith(".py"))


def _add(digest: Any, name: str, path: Path | str) -> None:
    content = b""
    # There are thousands of them, and a file object costs as much as reading one.
    file = os.open(path, os.O_RDONLY)
    try:
        while chunk := os.read(file, _CHUNK):
            content += chunk
    finally:
        os.close(file)
    digest.update(b"%d %s %d\0" % (len(name), name.encode(), len(content)))
    digest.update(content)


@dataclass(frozen=True)
class Rows:
    """What a database has of a history, of one moment."""

    current: tuple[str, ...]
    """The rows of the version table, sorted."""
    journal_id: int | None
    """The journal's newest row."""
    path: tuple[str, ...]
    """The schemas of the search_path that exist."""
    found_in: str | None
    """In which of them a version table by that name is met first."""


@dataclass(frozen=True)
class Memory:
    """A schema that was at its target, with all that this was concluded from."""

    surroundings: str
    sources: Sources
    digest: str
    version_table: VersionTable
    rows: Rows
    target: Target
    heads: tuple[str, ...]

    @property
    def inspection(self) -> Inspection:
        """What the thorough look would say."""
        return Inspection(
            state=SchemaState.CURRENT,
            current=self.rows.current,
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
        here = surroundings(boot.alembic_config, boot.migration_database_url)
        noted = [it for it in _read(connection) if it.surroundings == here]
        known = [it for it in noted if _is_unchanged(it, boot)]
        return known[0] if len(known) == 1 and _is_there(known[0], connection) else None
    except (psycopg2.Error, OSError, ValueError, KeyError, TypeError) as error:
        _log.debug("What is remembered of the schema cannot be used: %s", error)
        return None


def _is_unchanged(memory: Memory, boot: BootDescription) -> bool:
    return memory.sources.digest(boot.alembic_config, boot.schema) == memory.digest


def _is_there(memory: Memory, connection: Connection) -> bool:
    return rows(connection, memory.version_table) == memory.rows


def rows(connection: Connection, version_table: VersionTable) -> Rows:
    """Return what the database has now. Raises psycopg2.Error where a table is not there."""
    journal = Journal(version_table).table
    with connection.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            cursor.execute(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
            name = literal(quoted(version_table.name))
            cursor.execute(_ROWS.format(version_table=version_table, journal=journal, name=name))
            [(current, newest, path, found_in)] = cursor.fetchall()
        finally:
            cursor.execute("ROLLBACK")
    return Rows(tuple(sorted(current or ())), newest, tuple(path), found_in)


def _read(connection: Connection) -> list[Memory]:
    with connection.cursor() as cursor:
        cursor.execute(_NOTES, (JOURNAL_TABLE,))
        return [memory for (text,) in cursor.fetchall() for memory in memories(text)]


def memories(note: str | None) -> list[Memory]:
    """Return what a note says, the newest last; nothing where it is no note of ours."""
    try:
        noted = json.loads(note or "")
        if noted["boot"] != _FORMAT:
            return []
        return [_memory(it) for it in noted["seen"]]
    # Brackets in brackets end in a RecursionError.
    except (ValueError, KeyError, TypeError, RecursionError):
        return []


def note_of(known: Sequence[Memory]) -> str:
    """Return the note that says this, or the newest of it."""
    return json.dumps({"boot": _FORMAT, "seen": [asdict(it) for it in known[-_MOST:]]})


def _memory(noted: dict[str, Any]) -> Memory:
    sources, table, target = noted["sources"], noted["version_table"], noted["target"]
    rows = noted["rows"]
    return Memory(
        surroundings=str(noted["surroundings"]),
        sources=Sources(
            str(sources["env"]),
            tuple(map(str, sources["folders"])),
            tuple(map(str, sources["modules"])),
        ),
        digest=str(noted["digest"]),
        version_table=VersionTable(str(table["name"]), str(table["schema"])),
        rows=Rows(
            tuple(map(str, rows["current"])),
            rows["journal_id"],
            tuple(map(str, rows["path"])),
            rows["found_in"],
        ),
        target=Target(str(target["name"]), tuple(map(str, target["revisions"]))),
        heads=tuple(map(str, noted["heads"])),
    )
