"""What `inv status` says: the schema's state for people and for programs."""

from dataclasses import dataclass
from typing import Any

from backend.boot.description import BootDescription
from backend.boot.migration.inspection import Inspection
from backend.boot.migration.project import open_project
from backend.boot.migration.schema import Schema, open_schema
from backend.boot.postgres.wait import wait_for_database


@dataclass(frozen=True)
class Status:
    """An inspection with where it was made."""

    schema: Schema
    inspection: Inspection
    server_version: str

    def as_json(self) -> dict[str, Any]:
        """Return the status for programs; the keys are a contract."""
        return {
            "state": self.inspection.state.value,
            "current": list(self.inspection.current),
            "heads": list(self.inspection.heads),
            "target": self.inspection.target.name,
            "pending": list(self.inspection.pending),
            "database": self.schema.url.masked,
            "server_version": self.server_version,
            "journal": [],
        }

    def as_text(self) -> str:
        """Return the status for people."""
        inspection = self.inspection
        rows = {
            "state": inspection.state.value,
            "current": ", ".join(inspection.current) or "none",
            "target": inspection.target.name,
            "heads": ", ".join(inspection.heads),
            "database": self.schema.url.masked,
            "server": f"PostgreSQL {self.server_version}",
        }
        lines = [f"{name:<9} {text}" for name, text in rows.items()]
        for word, revisions in (("pending", inspection.pending), ("beyond", inspection.beyond)):
            lines += [f"{word:<9} {self.schema.label(revision)}" for revision in revisions]
        return "\n".join(lines)


def read_status(boot: BootDescription) -> Status:
    """Return the schema's state now; changes nothing and does not wait. Raises BootError."""
    url = boot.migration_database_url
    server = wait_for_database(url, timeout=0)
    schema = open_schema(url, open_project(boot.alembic_config, url), boot.schema)
    return Status(schema, schema.inspect(), server.version)
