"""A project beside its database: look at both, and say in which state they are."""

from dataclasses import dataclass

from backend.boot.description import SchemaPolicy
from backend.boot.errors import BootError, MigrationFailedError
from backend.boot.migration.facts import VersionTable, list_tables, read_facts
from backend.boot.migration.history import Target, resolve_target
from backend.boot.migration.inspection import Inspection, inspect
from backend.boot.migration.project import Project, describe_error
from backend.boot.postgres.connection import connected
from backend.boot.postgres.urls import DatabaseUrl
from backend.boot.signals import Stopped


@dataclass(frozen=True)
class Schema:
    """One schema: who describes it, where it is, and where it should be."""

    url: DatabaseUrl
    project: Project
    version_table: VersionTable
    target: Target

    def inspect(self) -> Inspection:
        """Return the state, read over a fresh connection."""
        with connected(self.url) as connection:
            facts = read_facts(connection, self.version_table)
        return inspect(facts, self.project.history, self.target)

    def tables(self) -> tuple[str, ...]:
        """Return the names of the tables, parents first."""
        with connected(self.url) as connection:
            return list_tables(connection, self.version_table)

    def label(self, revision: str) -> str:
        """Return a revision's number with its title."""
        return self.project.history.revisions[revision].label


def open_schema(url: DatabaseUrl, project: Project, policy: SchemaPolicy) -> Schema:
    """Return the schema; asks env.py where it keeps the revision.

    Raises ConfigurationError or HistoryBrokenError for a target that the history does not have,
    before the database is touched, and MigrationFailedError where env.py does not run.
    """
    target = resolve_target(project.history, policy.target, rollback=policy.rollback)
    try:
        version_table = project.version_table()
    except (BootError, Stopped):
        raise
    except (Exception, SystemExit) as error:
        raise MigrationFailedError(
            f"Alembic's env.py failed: {describe_error(error, project.scripts)}.",
            "Mend it and start again; nothing was changed.",
        ) from error
    return Schema(url, project, version_table, target)
