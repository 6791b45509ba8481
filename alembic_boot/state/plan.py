"""Decide what to do in each state, without side effects."""

from dataclasses import dataclass, replace
from enum import StrEnum

from alembic_boot.errors import BootError, MigrationFailedError
from alembic_boot.state.inspection import Inspection, SchemaState
from alembic_boot.state.refusals import (
    refuse_ahead,
    refuse_diverged,
    refuse_partial_commit,
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
        return _certain(_plan(inspection, rollback, disposal), inspection)
    error = refuse_replaced(inspection, disposal)
    if not (rollback and disposal and _is_way_down(inspection)):
        return refuse(error)
    known = replace(inspection, state=SchemaState.PAST)
    plan = _certain(_plan(known, rollback, disposal), inspection)
    return replace(plan, warnings=(error.what, *plan.warnings))


def _is_way_down(inspection: Inspection) -> bool:
    """Return whether a downgrade with the present files leads to the target.

    From a revision that was moved it would lead to a parent that was never applied.
    """
    moved = {it.entry.revision for it in inspection.replaced if it.is_moved}
    is_below = inspection.beyond and not (inspection.pending or inspection.unknown)
    return bool(is_below) and moved.isdisjoint(inspection.beyond)


def _certain(plan: Plan, inspection: Inspection) -> Plan:
    """Return the plan, or a refusal if a step cannot be recorded or may do harm."""
    if plan.action is Action.UPGRADE and inspection.unrecordable is not None:
        return refuse(inspection.unrecordable.refusal())
    for partial in inspection.partial_commits:
        is_a_step = partial.revision in plan.steps and partial.direction == plan.action
        if is_a_step and not partial.is_changed:
            return refuse(refuse_partial_commit(partial))
    return plan


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
        case SchemaState.PAST if rollback and inspection.irreversible:
            irreversible = MigrationFailedError(
                f"The schema cannot be taken back: {'; '.join(inspection.irreversible)}.",
                "Write a downgrade(), or restore a backup. Nothing was changed.",
            )
            return refuse(irreversible)
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
