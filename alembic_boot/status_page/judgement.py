"""Decide what the banner says: the state, the reason, and the command that helps."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from psycopg2.extensions import connection as Connection

from alembic_boot.commands import as_typed
from alembic_boot.description import SchemaPolicy
from alembic_boot.environment.version_table import VersionTable
from alembic_boot.errors import (
    BootError,
    SchemaAheadError,
    SchemaDivergedError,
    SchemaPastError,
    SchemaUnmanagedError,
    SeveralHeadsError,
)
from alembic_boot.history.history import History, Target, resolve_target
from alembic_boot.state.edits import agreed_digest
from alembic_boot.state.facts import read_facts
from alembic_boot.state.inspection import Inspection, SchemaState, inspect
from alembic_boot.state.plan import Action, Plan, decide, refuse
from alembic_boot.state.tables import Extent
from alembic_boot.status_page.report import Condition

_TIMEOUT = 1000
"""Milliseconds that a statement may take."""

_REVISION = 'revision --message "what changed"'

_SEEN_ANEW = frozenset(
    it.__name__
    for it in (SchemaPastError, SchemaAheadError, SchemaDivergedError, SeveralHeadsError)
)
"""Failures that each look finds again as long as they last."""

Verdict = tuple[Condition, str | None, str | None]
"""The condition, the reason and the command."""


@dataclass(frozen=True)
class Judgement:
    """The state of the schema, and what a start would do about it."""

    inspection: Inspection
    plan: Plan
    journal_refusal: BootError | None = None
    """Why the role may not see the journal. It needs that only if the schema is ahead."""

    def verdict(self, facts: Mapping[str, Any]) -> Verdict:
        """Return whether the schema fits this release; `facts` are those that the boot left."""
        if self.plan.action is not Action.NOTHING:
            return self._unfit(facts)
        if reason := facts.get("differences"):
            return Condition.UNAVAILABLE, reason, as_typed(_REVISION)
        return Condition.READY, " ".join(self.plan.warnings) or None, None

    def _unfit(self, facts: Mapping[str, Any]) -> Verdict:
        condition = Condition.UNAVAILABLE
        if (refusal := self.plan.refusal) is not None:
            return condition, str(refusal), _command(refusal)
        failure = facts.get("failure")
        if failure and not self._is_over(facts.get("kind")):
            return condition, facts.get("cause", failure), facts.get("command")
        found = self.inspection
        current = ", ".join(found.current) or "base"
        reason = f"The schema is {found.state} at {current}, and should be at {found.target.name}."
        return condition, reason, as_typed("migrate")

    def _is_over(self, kind: str | None) -> bool:
        """Return whether a failure of the boot is none of the present state any more."""
        is_unmanaged = self.inspection.state is SchemaState.UNMANAGED
        return kind in _SEEN_ANEW or (kind == SchemaUnmanagedError.__name__ and not is_unmanaged)


def judge(
    connection: Connection,
    version_table: VersionTable,
    history: History,
    policy: SchemaPolicy,
    extent: Extent,
) -> Judgement:
    """Return the state of a database. Raises BootError or psycopg2.Error if it cannot be read."""
    broken: BootError | None = None
    try:
        target = resolve_target(history, policy.target, rollback=policy.rollback)
    except BootError as error:
        broken, target = error, Target("heads", history.heads)
    agreed = partial(agreed_digest, history=history)
    facts = read_facts(connection, version_table, _TIMEOUT, extent, agreed)
    inspection = inspect(facts, history, target)
    if broken is not None:
        return Judgement(inspection, refuse(broken), facts.journal_refusal)
    plan = decide(inspection, rollback=policy.rollback, disposal=policy.disposal)
    return Judgement(inspection, plan, facts.journal_refusal)


def _command(error: BootError) -> str | None:
    return as_typed(error.command) if error.command else None
