"""Decide from the database whether the schema fits this release."""

from collections.abc import Iterable

from psycopg2.extensions import connection as Connection

from alembic_boot.commands import as_typed
from alembic_boot.description import BootDescription
from alembic_boot.environment.version_table import VersionTable
from alembic_boot.serving.handover import Facts, handed_over, version_table as handed_over_table
from alembic_boot.serving.model_watch import comparison_is_due
from alembic_boot.serving.readiness_answer import Readiness
from alembic_boot.serving.schema_target import SchemaTarget
from alembic_boot.serving.statements import Statements
from alembic_boot.state.facts import read_facts
from alembic_boot.state.inspection import Inspection
from alembic_boot.state.plan import Action, Plan, decide

_MOVED = "The schema has moved since the models were compared with it. They are compared again now."

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
        self._has_been_ready = False
        self._failed_at: tuple[str, ...] | None = None
        """The revisions of the schema at the first check after a boot that failed."""

    @property
    def facts(self) -> Facts:
        """Return what the boot of this project has handed over."""
        return handed_over(self._description)

    def evaluate(self, connection: Connection) -> Readiness:
        """Return the answer. Raises BootError or psycopg2.Error if the state cannot be read."""
        inspection, plan = self._look(connection)
        unfit = self._why_unfit(connection, inspection, plan)
        if unfit is not None and self._description.compare_models:
            self._target.forget()
            inspection, plan = self._look(connection)
        is_there = plan.action is Action.NOTHING
        self._has_been_ready = self._has_been_ready or is_there
        failure = self.failure_of_boot(inspection.current)
        reason = unfit if is_there else failure or _behind(inspection, plan)
        self.statements.note_revision(inspection.current)
        return Readiness(
            ready=reason is None,
            state=inspection.state.value,
            current=inspection.current,
            target=inspection.target.name,
            reason=reason or self.statements.doubt(),
            cause=None if plan.refusal is None else str(plan.refusal),
        )

    def _look(self, connection: Connection) -> tuple[Inspection, Plan]:
        facts = read_facts(
            connection, self._version_table, _STATEMENT_TIMEOUT, agreed=self._target.agreed
        )
        inspection = self._target.inspect(facts)
        policy = self._description.schema
        return inspection, decide(inspection, rollback=policy.rollback, disposal=policy.disposal)

    def _why_unfit(self, connection: Connection, inspection: Inspection, plan: Plan) -> str | None:
        """Return why requests fail, or may fail, although the revision is the right one.

        On a schema that is pinned below head, only failed requests tell that.
        """
        if plan.action is not Action.NOTHING:
            return None
        is_pinned = inspection.target.revisions != inspection.heads
        facts = self.facts
        if (differences := facts.get("differences")) is None:
            return self.statements.why_unfit(connection, is_pinned=is_pinned)
        if facts.get("compared_at") == list(inspection.current):
            return differences
        comparison_is_due.set()
        return _MOVED

    def failure_of_boot(self, current: tuple[str, ...] | None = None) -> str | None:
        """Return why the boot failed, until the schema is ready or has changed since.

        `current` are the present revisions of the schema, if known.
        """
        if current is not None and self._failed_at is None:
            self._failed_at = current
        has_moved = current is not None and current != self._failed_at
        if self._has_been_ready or has_moved:
            return None
        return self.facts.get("failure")


def _behind(inspection: Inspection, plan: Plan) -> str:
    if plan.refusal is not None:
        return plan.refusal.public
    current = ", ".join(inspection.current) or "base"
    return (
        f"The schema is {inspection.state.words} at {current}, and should be at "
        f"{inspection.target.name}: run `{as_typed('migrate')}`."
    )
