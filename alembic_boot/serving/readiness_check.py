"""Decide from the database whether the schema fits this release."""

from collections.abc import Iterable
from dataclasses import replace

from psycopg2.extensions import connection as Connection

from alembic_boot.description import BootDescription
from alembic_boot.environment.version_table import VersionTable
from alembic_boot.serving.handover import Facts, handed_over, version_table as handed_over_table
from alembic_boot.serving.model_watch import comparison_is_due
from alembic_boot.serving.schema_target import SchemaTarget
from alembic_boot.serving.statements import Statements
from alembic_boot.state.facts import read_facts
from alembic_boot.state.inspection import Inspection
from alembic_boot.state.judgement import MOVED, judge
from alembic_boot.state.plan import Action, Plan, decide
from alembic_boot.state.readiness import Readiness

_STATEMENT_TIMEOUT = 500
"""Milliseconds."""


class ReadinessCheck:
    """Compares a database with the target of this release, and with the needs of requests.

    The history on disk is read once, and in development again when requests fail: a revision may
    have been written meanwhile.
    """

    def __init__(
        self,
        description: BootDescription,
        version_table: VersionTable | None = None,
        needed: Iterable[str] = (),
    ) -> None:
        """`needed` are statements that the schema has to support: they are planned, not run."""
        self.statements = Statements(needed)
        self.release = description.app_version
        self._description = description
        self._version_table = version_table or handed_over_table(description) or VersionTable()
        self._target = SchemaTarget(description)
        self._failed_at: tuple[str, ...] | None = None
        """The revisions of the schema at the first check after the boot."""
        self._has_moved = False
        """Whether it has had others since, or was ready: then no failure of the boot counts."""

    @property
    def facts(self) -> Facts:
        """Return what the boot of this project has handed over."""
        return handed_over(self._description)

    def evaluate(self, connection: Connection) -> Readiness:
        """Return the answer. Raises BootError or psycopg2.Error if the state cannot be read."""
        plan, found = self._judged(connection)
        is_unfit = plan.action is Action.NOTHING and not found.ready
        if is_unfit and self._description.compare_models:
            self._target.forget()
            _, found = self._judged(connection)
        return found

    def _judged(self, connection: Connection) -> tuple[Plan, Readiness]:
        facts = self.facts
        inspection, plan = self._look(connection)
        current, is_there = inspection.current, plan.action is Action.NOTHING
        self._failed_at = current if self._failed_at is None else self._failed_at
        self._has_moved = self._has_moved or is_there or current != self._failed_at
        unfit = None
        if is_there and facts.get("differences") is None:
            # On a schema that is pinned below head, only failed requests tell it.
            is_pinned = inspection.target.revisions != inspection.heads
            unfit = self.statements.why_unfit(connection, is_pinned=is_pinned)
        self.statements.note_revision(current)
        found = judge(inspection, plan, facts, unfit, has_moved=self._has_moved)
        if found.reason == MOVED:
            comparison_is_due.set()
        return plan, replace(found, reason=found.reason or self.statements.doubt())

    def _look(self, connection: Connection) -> tuple[Inspection, Plan]:
        facts = read_facts(
            connection, self._version_table, _STATEMENT_TIMEOUT, agreed=self._target.agreed
        )
        inspection = self._target.inspect(facts)
        policy = self._description.schema
        return inspection, decide(inspection, rollback=policy.rollback, disposal=policy.disposal)
