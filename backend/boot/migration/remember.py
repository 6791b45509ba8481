"""Leave a note of what a thorough look found, for those who come after it."""

import logging
import os
from dataclasses import replace
from pathlib import Path

import psycopg2
from alembic.script import ScriptDirectory
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from backend.boot.description import BootDescription
from backend.boot.environment.surroundings import loaded_sources, surroundings
from backend.boot.errors import BootError
from backend.boot.postgres.advisory import AdvisoryKey
from backend.boot.postgres.connection import connected
from backend.boot.revisions.history import History
from backend.boot.state.inspection import Inspection, SchemaState
from backend.boot.state.journal import JOURNAL_TABLE
from backend.boot.state.memory import Memory, Rows, Sources, memories, note_of, rows
from backend.boot.state.plan import Action
from backend.boot.state.schema import Schema

_log = logging.getLogger(__name__)

_TABLE = """
SELECT obj_description(oid, 'pg_class') FROM pg_class
WHERE oid = to_regclass(%s) AND pg_has_role(relowner, 'USAGE')
"""


class Files:
    """The project's files as they were before anybody looked into them."""

    def __init__(self, boot: BootDescription) -> None:
        self._boot = boot
        # An env.py may change its own environment.
        self._surroundings = surroundings(boot.alembic_config, boot.migration_database_url)
        self.sources: Sources | None = None
        """None where more than files decides which revisions there are."""
        self.digest = ""

    def look(self, scripts: ScriptDirectory) -> None:
        """See what they are like, now that it is known where they are."""
        self.sources = _sources(self._boot.alembic_config, scripts)
        if self.sources is not None:
            try:
                self.digest = self._digest(self.sources)
            except OSError:  # whoever reads them next will say so
                self.sources = None

    def are_unchanged(self, sources: Sources) -> bool:
        """Whether they still are like that. Raises OSError."""
        return self._digest(sources) == self.digest

    def memory(self, sources: Sources, schema: Schema, seen: Rows) -> Memory:
        """Return what there is to be remembered now that env.py has run. Raises OSError."""
        base = self._boot.alembic_config.parent
        loaded = tuple(_from(base, file) for file in loaded_sources())
        sources = replace(sources, modules=loaded)
        return Memory(
            surroundings=self._surroundings,
            sources=sources,
            digest=self._digest(sources),
            version_table=schema.version_table,
            rows=seen,
            target=schema.target,
            heads=schema.project.history.heads,
        )

    def _digest(self, sources: Sources) -> str:
        return sources.digest(self._boot.alembic_config, self._boot.schema)


def remember(schema: Schema, files: Files) -> None:
    """Note that the schema is at its target, if it is, and nothing is to be said against it.

    Where the note cannot be written the next look is a thorough one again, and no harm is done.
    """
    sources = files.sources
    if sources is None or schema.policy.rollback or schema.version_table.schema is None:
        return
    try:
        with connected(schema.url) as connection:
            _remember(schema, files, sources, connection)
    except (BootError, psycopg2.Error, OSError) as error:
        _log.debug("What was seen of the schema could not be noted: %s", error)


def _remember(schema: Schema, files: Files, sources: Sources, connection: Connection) -> None:
    key = AdvisoryKey.named("note", *schema.version_table.path[:-1])
    journal = schema.journal.table
    with connection.cursor() as cursor:
        cursor.execute(_TABLE, (journal,))
        found = cursor.fetchone()
        if found is None:  # none that is this role's
            return
        # Read first: what is written meanwhile makes the note a wrong one, and it is seen to be.
        seen = rows(connection, schema.version_table)
        inspection = schema.inspect()
        if not _is_well(schema, inspection) or inspection.current != seen.current:
            return
        memory = files.memory(sources, schema, seen)
        if memory in memories(found[0]) or not _is_literal(schema.project.history):
            return
        if not files.are_unchanged(sources):
            return
        cursor.execute("BEGIN")
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", (key.number,))
        if cursor.fetchone() == (True,):  # else somebody is just writing the same
            cursor.execute(_TABLE, (journal,))
            [note] = cursor.fetchone() or [None]
            others = [it for it in memories(note) if not _is_same_place(it, memory)]
            text = note_of([*others, memory])
            cursor.execute("SET LOCAL lock_timeout = '1s'")
            statement = sql.SQL("COMMENT ON TABLE {} IS {}").format(
                sql.Identifier(*schema.version_table.path[:-1], JOURNAL_TABLE),
                sql.Literal(text),
            )
            cursor.execute(statement)
        cursor.execute("COMMIT")


def _is_literal(history: History) -> bool:
    """Whether every file names its revision, and what that stands on, in so many words.

    What a file computes may depend on what is in no file.
    """
    for revision in history.revisions.values():
        if revision.path is None or revision.path.suffix != ".py":
            return False
        source = revision.path.read_bytes()
        for name in (revision.id, *revision.parents):
            if not any(f"{quote}{name}{quote}".encode() in source for quote in "'\""):
                return False
    return True


def _is_same_place(one: Memory, other: Memory) -> bool:
    return (one.surroundings, one.version_table) == (other.surroundings, other.version_table)


def _is_well(schema: Schema, inspection: Inspection) -> bool:
    plan = schema.decide(inspection)
    is_current = inspection.state is SchemaState.CURRENT and bool(inspection.current)
    return is_current and plan.action is Action.NOTHING and not plan.warnings


def _sources(config: Path, scripts: ScriptDirectory) -> Sources | None:
    folders = [Path(folder) for folder in scripts._version_locations]
    if scripts.sourceless or scripts.recursive_version_locations:
        return None
    if not all(folder.is_dir() for folder in folders):
        return None
    base = config.parent
    return Sources(
        _from(base, scripts.env_py_location), tuple(_from(base, folder) for folder in folders)
    )


def _from(base: Path, path: Path | str) -> str:
    """Return where a path is, seen from a folder; a link in it stays one, which may be switched."""
    relative = os.path.relpath(path, base)
    try:
        is_there = (base / relative).samefile(path)
    except OSError:
        is_there = False
    # A link in the base leads `..` elsewhere.
    return relative if is_there else str(Path(path).absolute())
