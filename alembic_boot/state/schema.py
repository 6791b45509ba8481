"""A project and its database: inspect both, and decide what to do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from typing import Any, TypeVar

from psycopg2 import errors
from psycopg2.extensions import connection as Connection

from alembic_boot.description import SchemaPolicy
from alembic_boot.environment.location import Location
from alembic_boot.environment.project import Project
from alembic_boot.environment.version_table import VersionTable
from alembic_boot.errors import (
    BootError,
    ConfigurationError,
    HistoryBrokenError,
    LockTimeoutError,
)
from alembic_boot.history.history import History, Target, resolve_target
from alembic_boot.postgres.connection import connected, forget_kept
from alembic_boot.postgres.identity import same_database_query
from alembic_boot.postgres.urls import DatabaseUrl
from alembic_boot.state.edits import agreed_digest
from alembic_boot.state.facts import lockers, read_facts
from alembic_boot.state.inspection import DatabaseFacts, Inspection, inspect
from alembic_boot.state.journal import Journal
from alembic_boot.state.plan import Action, Plan, decide, harmful_step, refuse
from alembic_boot.state.refusals import refuse_irreversible, refuse_partial_commit
from alembic_boot.state.tables import Extent, list_tables
from alembic_boot.state.unrecordable import Unrecordable, unrecordable

T = TypeVar("T")


@dataclass(frozen=True)
class Schema:
    """One schema: its project, its database and its target."""

    url: DatabaseUrl
    project: Project
    location: Location
    target: Target
    policy: SchemaPolicy

    @property
    def version_table(self) -> VersionTable:
        """Return the version table of env.py."""
        return self.location.version_table

    @property
    def journal(self) -> Journal:
        """Return the journal in the version table's schema, whether it exists yet or not."""
        return Journal(self.version_table)

    @cached_property
    def extent(self) -> Extent:
        """The schemas whose tables count: env.py's, the models' and the history's."""

        @cache  # a long history is read once
        def named(others: frozenset[str]) -> frozenset[str]:
            # Only here: most databases have no tables in other schemas.
            from alembic_boot.environment.schemas import named_schemas

            return named_schemas(self.project.scripts, self.location.models, others)

        return Extent(self.location.path, named)

    def inspect(self) -> Inspection:
        """Return the state, read over a fresh connection.

        Raises LockTimeoutError if another session keeps the version table or the journal locked.
        """
        history = self.project.history
        agreed = partial(agreed_digest, history=history)
        with self._reading() as connection:
            facts = read_facts(connection, self.version_table, extent=self.extent, agreed=agreed)
        if facts.journal_refusal is not None:
            raise facts.journal_refusal
        return inspect(facts, history, self.target)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """Connect, to read the version table and the journal. Raises LockTimeoutError."""
        with connected(self.url) as connection:
            try:
                yield connection
            except errors.LockNotAvailable as error:
                tables = (str(self.version_table), self.journal.table)
                who = lockers(connection, *tables) or "it has just ended"
                raise LockTimeoutError(
                    f"Another session ({who}) keeps "
                    f"{self.version_table} locked, so the schema's state cannot be read.",
                    "See what that session is doing. Nothing was changed.",
                ) from error

    def supposing(self, inspection: Inspection, revisions: tuple[str, ...]) -> Inspection:
        """Return the state as it will be when only these revisions are recorded."""
        facts = DatabaseFacts(tuple(sorted(revisions)), inspection.tables)
        return inspect(facts, self.project.history, self.target)

    def unrecordable(
        self, revisions: tuple[str, ...], *, is_run: bool = True
    ) -> Unrecordable | None:
        """Return which of the revisions, in this order, have ids that cannot be recorded.

        `is_run` tells that they will run, and not only be recorded.
        """

        def ask(query: str) -> Any:
            with connected(self.url) as connection, connection.cursor() as cursor:
                cursor.execute(query)
                return cursor.fetchone()

        history = self.project.history if is_run else History({})
        return unrecordable(ask, revisions, history, self.version_table)

    def decide(self, inspection: Inspection, *, is_scratch: bool = False) -> Plan:
        """Return the plan for this state, by this policy, or the refusal of its steps.

        The files of the steps are imported: a failing import is refused. On a scratch database
        there is nothing to lose: an irreversible revision shows itself when it runs. Raises
        LockTimeoutError, as above.
        """
        plan = decide(inspection, rollback=self.policy.rollback, disposal=self.policy.disposal)
        refusal = self._why_not(plan, is_scratch=is_scratch) if plan.steps else None
        return plan if refusal is None else replace(refuse(refusal), warnings=plan.warnings)

    def _why_not(self, plan: Plan, *, is_scratch: bool) -> BootError | None:
        """Return the refusal of steps that cannot be recorded or run, or that may do harm."""
        history, is_up = self.project.history, plan.action is Action.UPGRADE
        if is_up and (found := self.unrecordable(plan.steps)):
            return found.refusal()
        is_lasting = not (is_up or is_scratch)
        if is_lasting and (irreversible := refuse_irreversible(plan.steps, history)):
            return irreversible
        with self._reading() as connection:
            unfinished = self.journal.unfinished(connection)
        if harmful := harmful_step(plan, unfinished, history):
            return refuse_partial_commit(harmful, history, self.journal)
        try:
            self.project.load(plan.steps)
        except HistoryBrokenError as broken:
            return broken
        return None

    def tables(self) -> tuple[str, ...]:
        """Return the names of the tables, parents first."""
        with connected(self.url) as connection:
            return list_tables(connection, self.version_table, self.extent)

    def label(self, revision: str) -> str:
        """Return a revision's number with its title."""
        return self.project.history.label(revision)


def open_schema(url: DatabaseUrl, project: Project, policy: SchemaPolicy) -> Schema:
    """Return the schema, with the location that env.py gives; see `ask_location`.

    Raises ConfigurationError or HistoryBrokenError for a target that the history does not have,
    before the database is touched.
    """
    target = resolve_target(project.history, policy.target, rollback=policy.rollback)
    return Schema(url, project, ask_location(url, project), target, policy)


def ask_location(url: DatabaseUrl, project: Project) -> Location:
    """Return the location of the schema by env.py.

    Raises ConfigurationError if env.py connects to another database, and MigrationFailedError if it
    fails.
    """
    return in_the_database(url, project.location)


def in_the_database(url: DatabaseUrl, run_env: Callable[[str], T]) -> T:
    """Run env.py, with a query that is true in this database and in no other.

    If env.py connects to another database, a failover may have happened: then once more.
    """
    is_same_database = _identity(url)
    while True:
        try:
            return run_env(is_same_database)
        except ConfigurationError:
            forget_kept()
            asked, is_same_database = is_same_database, _identity(url)
            if asked == is_same_database:
                raise


def _identity(url: DatabaseUrl) -> str:
    with connected(url) as connection:
        return same_database_query(connection)
