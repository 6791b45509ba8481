"""What `inv status` says: the schema's state for people and for programs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from backend.boot.description import BootDescription
from backend.boot.postgres.connection import connected
from backend.boot.postgres.wait import wait_for_database
from backend.boot.state.inspection import Inspection, SchemaState
from backend.boot.state.journal import Journal
from backend.boot.state.memory import recall

_KEPT = 20
"""Rows of the journal that programs get."""

_SHOWN = 5
"""Rows of the journal that people get."""


@dataclass(frozen=True)
class Status:
    """An inspection with where it was made."""

    database: str
    """Its URL, masked."""
    inspection: Inspection
    server_version: str
    journal: list[dict[str, Any]]
    """The newest rows, newest first, as JSON can say them."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """The numbers with the titles, of the revisions of this history."""

    @property
    def _pending(self) -> tuple[str, ...]:
        """What a migration would run; where it would be refused, that is nothing."""
        may_run = self.inspection.state in (SchemaState.EMPTY, SchemaState.BEHIND)
        return self.inspection.pending if may_run else ()

    def as_json(self) -> dict[str, Any]:
        """Return the status for programs; the keys are a contract."""
        return {
            "state": self.inspection.state.value,
            "current": list(self.inspection.current),
            "heads": list(self.inspection.heads),
            "target": self.inspection.target.name,
            "pending": list(self._pending),
            "database": self.database,
            "server_version": self.server_version,
            "journal": self.journal,
        }

    def as_text(self) -> str:
        """Return the status for people."""
        inspection = self.inspection
        rows = {
            "state": inspection.state.value,
            "current": ", ".join(inspection.current) or "none",
            "target": inspection.target.name,
            "heads": ", ".join(inspection.heads),
            "database": self.database,
            "server": f"PostgreSQL {self.server_version}",
        }
        lines = [f"{name:<9} {text}" for name, text in rows.items()]
        for word, revisions in (
            ("pending", self._pending),
            ("beyond", inspection.beyond),
            ("unknown", inspection.unknown),
            ("edited", inspection.edited),
        ):
            lines += [f"{word:<9} {self.labels.get(revision, revision)}" for revision in revisions]
        lines += [f"{'journal':<9} {_line(row)}" for row in self.journal[:_SHOWN]]
        return "\n".join(lines)


def read_status(boot: BootDescription) -> Status:
    """Return the schema's state now; changes nothing and does not wait. Raises BootError."""
    url = boot.migration_database_url
    server = wait_for_database(url, timeout=0)
    with connected(url) as connection:
        memory = recall(boot, connection)
        if memory is not None:
            journal = Journal(memory.version_table).last(connection, _KEPT)
            return Status(url.masked, memory.inspection, server.version, journal)
    return _look_thoroughly(boot, server.version)


def _look_thoroughly(boot: BootDescription, server_version: str) -> Status:
    from backend.boot.environment.opening import open_project
    from backend.boot.state.schema import open_schema

    url = boot.migration_database_url
    schema = open_schema(url, open_project(boot.alembic_config, url), boot.schema)
    inspection = schema.inspect()
    with connected(url) as connection:
        journal = schema.journal.last(connection, _KEPT)
    labels = {it.id: it.label for it in schema.project.history.revisions.values()}
    return Status(url.masked, inspection, server_version, journal, labels)


def _line(row: Mapping[str, Any]) -> str:
    took = "" if row["duration_ms"] is None else f" in {row['duration_ms']} ms"
    error = "" if row["error"] is None else f": {row['error'].splitlines()[0]}"
    started = datetime.fromisoformat(row["started_at"]).astimezone()  # as the log has it
    return (
        f"{started:%Y-%m-%d %H:%M:%S} {row['direction']} {row['revision']} {row['status']}{took} "
        f"by {row['host']}, process {row['pid']}{error}"
    )
