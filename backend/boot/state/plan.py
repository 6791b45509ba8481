"""What to do about a state: a table, decided without side effects."""

from dataclasses import dataclass, replace
from enum import StrEnum

from backend.boot.errors import (
    BootError,
    HistoryBrokenError,
    MigrationFailedError,
    SchemaAheadError,
    SchemaDivergedError,
    SchemaPastError,
    SchemaUnmanagedError,
)
from backend.boot.state.doubts import refusal
from backend.boot.state.inspection import Inspection, SchemaState


class Action(StrEnum):
    """What a plan does with the schema."""

    NOTHING = "nothing"
    UPGRADE = "upgrade"
    DOWNGRADE = "downgrade"
    ADOPT = "adopt"
    """Find out by a replay which revision the schema is, record it, and decide again."""
    REFUSE = "refuse"


@dataclass(frozen=True)
class Plan:
    """An action with the revisions it runs, in their order, or why it is refused."""

    action: Action
    steps: tuple[str, ...] = ()
    refusal: BootError | None = None
    warnings: tuple[str, ...] = ()
    """What people should know of, though it changes nothing."""


def decide(inspection: Inspection, *, rollback: bool, refuse_edited: bool = False) -> Plan:
    """Return what happens in this state.

    `rollback` says that going down was asked for, `refuse_edited` that nothing is done with a
    history that was edited after it was applied.
    """
    if not inspection.edited:
        return _certain(_plan(inspection, rollback=rollback), inspection)
    edited = (
        f"{_listed(inspection.edited)} was edited after it was applied: "
        "other databases may not get the schema that this one has."
    )
    if refuse_edited:
        advice = "Put the file back as it was, and write what it should do into a new revision."
        return Plan(Action.REFUSE, refusal=HistoryBrokenError(edited, advice))
    plan = _certain(_plan(inspection, rollback=rollback), inspection)
    return replace(plan, warnings=(edited, *plan.warnings))


def _certain(plan: Plan, inspection: Inspection) -> Plan:
    """Return the plan, or its refusal where a step would do again what may do harm then."""
    for doubt in inspection.doubts:
        is_a_step = doubt.revision in plan.steps and doubt.direction == plan.action
        if is_a_step and not doubt.is_changed:
            return Plan(Action.REFUSE, refusal=refusal(doubt))
    return plan


def _plan(inspection: Inspection, *, rollback: bool) -> Plan:
    match inspection.state:
        case SchemaState.CURRENT:
            return Plan(Action.NOTHING)
        case SchemaState.EMPTY | SchemaState.BEHIND if inspection.pending:
            return Plan(Action.UPGRADE, inspection.pending)
        case SchemaState.EMPTY | SchemaState.BEHIND:
            return Plan(Action.NOTHING)  # the target is base
        case SchemaState.AHEAD if not inspection.contracting and not rollback:
            return Plan(Action.NOTHING, warnings=(_ahead(inspection),))
        case SchemaState.UNMANAGED if not rollback:
            return Plan(Action.ADOPT)
        case SchemaState.PAST if rollback and inspection.irreversible:
            irreversible = MigrationFailedError(
                f"The schema cannot be taken back: {'; '.join(inspection.irreversible)}.",
                "Write a downgrade(), or restore a backup. Nothing was changed.",
            )
            return Plan(Action.REFUSE, refusal=irreversible)
        case SchemaState.PAST if rollback:
            return Plan(Action.DOWNGRADE, inspection.beyond)
        case _:
            return Plan(Action.REFUSE, refusal=_refusal(inspection))


def _refusal(inspection: Inspection) -> BootError:
    current, target = _listed(inspection.current), inspection.target.name
    match inspection.state:
        case SchemaState.PAST:
            return SchemaPastError(
                f"The database is at {current}, beyond the target {target}.",
                f"Set MIGRATION_TARGET={_stay(inspection)} to stay there, leave it out to go up to "
                f"head, or say `inv rollback --target {target}` (or MIGRATION_ROLLBACK=true) to go "
                "down.",
            )
        case SchemaState.AHEAD:
            reason = (
                f", and {_listed(inspection.contracting)} is not journalled as expand"
                if inspection.contracting
                else ", which cannot take back what it does not know"
            )
            return SchemaAheadError(
                f"The database is at {current}, ahead of this release, whose head is "
                f"{_listed(inspection.heads)}{reason}.",
                "Deploy the release that has it, or roll the database back with that release.",
            )
        case SchemaState.UNMANAGED:
            return unmanaged(inspection)
        case _:
            is_twofold = len(inspection.current) > 1 and not inspection.pending
            known = f"this release's history, whose head is {_listed(inspection.heads)}"
            reason = (
                f"{_listed(inspection.unknown)} is not in {known}"
                if inspection.unknown
                else "of these one is the ancestor of another, or stands there twice"
                if is_twofold
                else f"that and the target {target} lie on different branches"
            )
            way_out = (
                "Deploy the release that has that revision, or restore a database that belongs to "
                "this one."
                if inspection.unknown or is_twofold
                else "Set MIGRATION_TARGET=heads to have both branches, or to a revision that "
                "joins them, as `alembic merge` makes it."
            )
            return SchemaDivergedError(
                f"The database is at {current}, and {reason}.", f"{way_out} Nothing was changed."
            )


def _stay(inspection: Inspection) -> str:
    """Return the target by which the schema stays where it is."""
    return inspection.current[0] if len(inspection.current) == 1 else "heads"


def _ahead(inspection: Inspection) -> str:
    return (
        f"The database is at {_listed(inspection.current)}, ahead of this release, whose head is "
        f"{_listed(inspection.heads)}. All that it has more ({_listed(inspection.unknown)}) is "
        "journalled as expand, so this release works on it as it is."
    )


def _listed(revisions: tuple[str, ...]) -> str:
    return ", ".join(revisions) or "base"


def unmanaged(inspection: Inspection) -> SchemaUnmanagedError:
    """Return the refusal of what needs a revision that is recorded."""
    return SchemaUnmanagedError(
        f"The database has tables ({some(inspection.tables)}) but no revision recorded.",
        "See with `inv adopt --dry-run` whether it is at one, and record it with `inv adopt`. "
        "Nothing was changed.",
    )


def some(names: tuple[str, ...], most: int = 5) -> str:
    """Return the first of several names, and how many more there are."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
