"""The output of `inv status`: the schema's state for people and for programs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from alembic_boot.commands import as_typed
from alembic_boot.description import BootDescription
from alembic_boot.environment.opening import open_project
from alembic_boot.errors import BootError
from alembic_boot.migration.journal_table import journal_table
from alembic_boot.postgres.connection import connected
from alembic_boot.postgres.wait import wait_for_database
from alembic_boot.running.lock import died
from alembic_boot.state.inspection import Inspection, SchemaState
from alembic_boot.state.journal_rows import Running
from alembic_boot.state.plan import Action
from alembic_boot.state.schema import open_schema

_KEPT = 20
"""Rows of the journal for programs."""

_SHOWN = 5
"""Lines of the journal for people."""


@dataclass(frozen=True)
class Status:
    """An inspection with its database."""

    database: str
    """The URL of the database, masked."""
    inspection: Inspection
    server_version: str
    journal: list[dict[str, Any]]
    """The newest rows, newest first, as values for JSON."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """The numbers with the titles of this history's revisions."""
    pending: tuple[str, ...] = ()
    """Revisions that a migration would run; none if it would be refused."""
    refusal: BootError | None = None
    """The reason if a migration would be refused."""
    died: frozenset[Running] = frozenset()
    """Journal rows of running revisions whose process has died."""

    def as_json(self) -> dict[str, Any]:
        """Return the status for programs; the keys are a contract."""
        return {
            "state": self.inspection.state.value,
            "current": list(self.inspection.current),
            "heads": list(self.inspection.heads),
            "target": self.inspection.target.name,
            "pending": list(self.pending),
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
            ("pending", self.pending),
            ("beyond", inspection.beyond),
            ("unknown", inspection.unknown),
            ("differs", tuple(it.entry.revision for it in inspection.replaced)),
        ):
            lines += [f"{word:<9} {self.labels.get(revision, revision)}" for revision in revisions]
        if self.refusal is None and (step := self._next()):
            lines.append(f"{'next':<9} {step}")
        if self.refusal is not None:
            lines.append(f"{'refused':<9} {self.refusal}")
        table = journal_table(self._rows(), self.labels, _SHOWN)
        lines += [f"{'journal':<9} {line}" for line in table]
        return "\n".join(lines)

    def _next(self) -> str | None:
        """Return the usual next command and what it does; None if there is nothing to do."""
        if self.inspection.state is SchemaState.UNMANAGED:
            return f"`{as_typed('adopt --dry-run')}` shows which revision it is"
        if (count := len(self.pending)) == 0:
            return None
        return f"`{as_typed('migrate')}` applies {count} revision{'s' * (count != 1)}"

    def _rows(self) -> list[dict[str, Any]]:
        """Return the rows of the journal, with the status `died` for those of dead processes."""
        died = {(it.revision, it.host, it.pid) for it in self.died}

        def has_died(row: Mapping[str, Any]) -> bool:
            who = (row["revision"], row["host"], row["pid"])
            return row["status"] == "running" and who in died

        return [{**row, "status": "died"} if has_died(row) else row for row in self.journal]


def read_status(boot: BootDescription) -> Status:
    """Return the schema's state now; changes nothing and does not wait. Raises BootError."""
    url = boot.migration_database_url
    version = wait_for_database(url, timeout=0)
    schema = open_schema(
        url, open_project(boot.alembic_config, url, changes_nothing=True), boot.schema
    )
    inspection = schema.inspect()
    plan = schema.decide(inspection)
    with connected(url) as connection:
        journal = schema.journal.last(connection, _KEPT)
        dead = died(connection, schema.journal)
    labels = {it.id: it.label for it in schema.project.history.revisions.values()}
    pending = plan.steps if plan.action is Action.UPGRADE else ()
    return Status(url.masked, inspection, version, journal, labels, pending, plan.refusal, dead)
