"""Leave a note of what a thorough look found, for those who come after it."""

import logging
import os
from pathlib import Path

import psycopg2
from alembic.script import ScriptDirectory
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from backend.boot.description import BootDescription
from backend.boot.errors import BootError
from backend.boot.postgres.advisory import AdvisoryKey
from backend.boot.postgres.connection import connected
from backend.boot.state.inspection import Inspection, SchemaState
from backend.boot.state.journal import JOURNAL_TABLE
from backend.boot.state.memory import Memory, Sources, memories, note_of, rows
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
        current, newest = rows(connection, schema.version_table)
        inspection = schema.inspect()
        if not _is_well(schema, inspection) or inspection.current != current:
            return
        memory = Memory(
            sources,
            files.digest,
            schema.version_table,
            current,
            newest,
            schema.target,
            inspection.heads,
        )
        name = str(schema.version_table)
        if memories(found[0]).get(name) == memory:
            return
        if not files.are_unchanged(sources):
            return
        cursor.execute("BEGIN")
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", (key.number,))
        if cursor.fetchone() == (True,):  # else somebody is just writing the same
            cursor.execute(_TABLE, (journal,))
            [note] = cursor.fetchone() or [None]
            text = note_of({**memories(note), name: memory})
            cursor.execute("SET LOCAL lock_timeout = '1s'")
            statement = sql.SQL("COMMENT ON TABLE {} IS {}").format(
                sql.Identifier(*schema.version_table.path[:-1], JOURNAL_TABLE),
                sql.Literal(text),
            )
            cursor.execute(statement)
        cursor.execute("COMMIT")


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
    base = config.parent.resolve()
    return Sources(
        os.path.relpath(Path(scripts.env_py_location).resolve(), base),
        tuple(os.path.relpath(folder.resolve(), base) for folder in folders),
    )
