"""Decide what to do in each state, without side effects."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from alembic_boot.errors import BootError
from alembic_boot.history.history import History
from alembic_boot.state.edits import is_changed
from alembic_boot.state.inspection import Inspection, SchemaState
from alembic_boot.state.journal_rows import Unfinished
from alembic_boot.state.refusals import (
    refuse_ahead,
    refuse_diverged,
    refuse_past,
    refuse_replaced,
    refuse_unmanaged,
    warn_ahead,
)


class Action(StrEnum):
    """The action of a plan on the schema."""

    NOTHING = "nothing"
    UPGRADE = "upgrade"
    DOWNGRADE = "downgrade"
    ADOPT = "adopt"
    """Find the schema's revision by a replay, record it, and decide again."""
    REFUSE = "refuse"


@dataclass(frozen=True)
class Plan:
    """An action with the revisions it runs, in their order, or the refusal."""

    action: Action
    steps: tuple[str, ...] = ()
    refusal: BootError | None = None
    warnings: tuple[str, ...] = ()
    """Warnings for people; they change nothing."""


def refuse(error: BootError) -> Plan:
    """Return the plan that runs nothing, for this reason."""
    return Plan(Action.REFUSE, refusal=error)


def decide(inspection: Inspection, *, rollback: bool, disposal: str | None = None) -> Plan:
    """Return the plan for this state.

    `rollback` tells that a downgrade was requested; `disposal` how the database can be thrown away.
    If the database's revisions differ from the files, nothing is done. Only in development a
    downgrade is possible then, because the file's downgrade() may still fit.
    """
    if not inspection.replaced:
        return _plan(inspection, rollback, disposal)
    error = refuse_replaced(inspection, disposal)
    if not (rollback and disposal and _is_way_down(inspection)):
        return refuse(error)
    plan = _plan(replace(inspection, state=SchemaState.PAST), rollback, disposal)
    return replace(plan, warnings=(error.what, *plan.warnings))


def _is_way_down(inspection: Inspection) -> bool:
    """Return whether a downgrade with the present files leads to the target.

    From a revision that was moved it would lead to a parent that was never applied.
    """
    moved = {it.entry.revision for it in inspection.replaced if it.is_moved}
    is_below = inspection.beyond and not (inspection.pending or inspection.unknown)
    return bool(is_below) and moved.isdisjoint(inspection.beyond)


def harmful_step(
    plan: Plan, unfinished: Iterable[Unfinished], history: History
) -> Unfinished | None:
    """Return the last attempt of a step that may do harm if the plan repeats it; else None."""
    for it in unfinished:
        is_a_step = it.revision in plan.steps and it.direction == plan.action
        if is_a_step and it.committed and not is_changed(it, history):
            return it
    return None


def _plan(inspection: Inspection, rollback: bool, disposal: str | None) -> Plan:
    match inspection.state:
        case SchemaState.EMPTY | SchemaState.BEHIND if inspection.pending:
            return Plan(Action.UPGRADE, inspection.pending)
        case SchemaState.CURRENT | SchemaState.EMPTY | SchemaState.BEHIND:
            return Plan(Action.NOTHING)  # an empty one has the target base
        case SchemaState.AHEAD if not inspection.contracting and not rollback:
            return Plan(Action.NOTHING, warnings=(warn_ahead(inspection),))
        case SchemaState.UNMANAGED if not rollback:
            return Plan(Action.ADOPT)
        case SchemaState.PAST if rollback:
            return Plan(Action.DOWNGRADE, inspection.beyond)
        case _:
            return refuse(_refusal(inspection, disposal))


def _refusal(inspection: Inspection, disposal: str | None) -> BootError:
    match inspection.state:
        case SchemaState.PAST:
            return refuse_past(inspection)
        case SchemaState.AHEAD:
            return refuse_ahead(inspection, disposal)
        case SchemaState.UNMANAGED:
            return refuse_unmanaged(inspection)
        case _:
            return refuse_diverged(inspection, disposal)
