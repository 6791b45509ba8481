"""Decide what to do in each state, without side effects."""

from dataclasses import dataclass, replace
from enum import StrEnum

from alembic_boot.commands import as_typed
from alembic_boot.errors import (
    BootError,
    HistoryBrokenError,
    MigrationFailedError,
    SchemaAheadError,
    SchemaDivergedError,
    SchemaPastError,
    SchemaUnmanagedError,
)
from alembic_boot.state.inspection import Inspection, SchemaState, TooLong, Unencodable
from alembic_boot.state.name_lists import are, listed, some
from alembic_boot.state.partial_commits import refusal
from alembic_boot.state.unknown_revisions import not_as_applied, way_back


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


def decide(inspection: Inspection, *, rollback: bool, disposal: str | None = None) -> Plan:
    """Return the plan for this state.

    `rollback` tells that a downgrade was requested; `disposal` how the database can be thrown away.
    If the database's revisions differ from the files, nothing is done. Only in development a
    downgrade is possible then, because the file's downgrade() may still fit.
    """
    if not inspection.replaced:
        return _certain(_plan(inspection, rollback, disposal), inspection)
    refusal = not_as_applied(inspection, disposal)
    if not (rollback and disposal and _is_way_down(inspection)):
        return Plan(Action.REFUSE, refusal=refusal)
    known = replace(inspection, state=SchemaState.PAST)
    plan = _certain(_plan(known, rollback, disposal), inspection)
    return replace(plan, warnings=(refusal.what, *plan.warnings))


def _is_way_down(inspection: Inspection) -> bool:
    """Return whether a downgrade with the present files leads to the target.

    From a revision that was moved it would lead to a parent that was never applied.
    """
    moved = {it.entry.revision for it in inspection.replaced if it.is_moved}
    is_below = inspection.beyond and not (inspection.pending or inspection.unknown)
    return bool(is_below) and moved.isdisjoint(inspection.beyond)


def _certain(plan: Plan, inspection: Inspection) -> Plan:
    """Return the plan, or a refusal if a step cannot be recorded or may do harm."""
    if plan.action is Action.UPGRADE and inspection.too_long is not None:
        return Plan(Action.REFUSE, refusal=refuse_too_long(inspection.too_long))
    if plan.action is Action.UPGRADE and inspection.unencodable is not None:
        return Plan(Action.REFUSE, refusal=refuse_unencodable(inspection.unencodable))
    for partial in inspection.partial_commits:
        is_a_step = partial.revision in plan.steps and partial.direction == plan.action
        if is_a_step and not partial.is_changed:
            return Plan(Action.REFUSE, refusal=refusal(partial))
    return plan


def _plan(inspection: Inspection, rollback: bool, disposal: str | None) -> Plan:
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
            return Plan(Action.REFUSE, refusal=_refusal(inspection, disposal))


def _refusal(inspection: Inspection, disposal: str | None) -> BootError:
    current, target = listed(inspection.current), inspection.target.name
    match inspection.state:
        case SchemaState.PAST:
            return SchemaPastError(
                f"The database is at {current}, beyond the target {target}.",
                f"Set MIGRATION_TARGET={_stay(inspection)} to stay there, leave it out to go up to "
                f"head, or run `{as_typed(f'inv rollback --target {target}')}` (or "
                "MIGRATION_ROLLBACK=true) to go down.",
            )
        case SchemaState.AHEAD:
            return refuse_ahead(inspection, disposal)
        case SchemaState.UNMANAGED:
            return unmanaged(inspection)
        case _:
            known = f"this release's history, whose head is {listed(inspection.heads)}"
            reason = (
                f"{listed(inspection.unknown)} {are(inspection.unknown)} not in {known}"
                if inspection.unknown
                else "one of these is the ancestor of another, or is recorded twice"
                if inspection.is_twofold
                else f"that and the target {target} lie on different branches"
            )
            restore = (
                "Deploy the release that has that revision, or restore a database that belongs to "
                "this one. Nothing was changed."
            )
            way_out = (
                _or_squashed(way_back(inspection, disposal, restore))
                if inspection.unknown
                else _or_squashed(restore)
                if inspection.is_twofold
                else "Set MIGRATION_TARGET=heads to have both branches, or to a revision that "
                f"joins them, as `{as_typed('inv merge')}` writes it. Nothing was changed."
            )
            return SchemaDivergedError(f"The database is at {current}, and {reason}.", way_out)


def _or_squashed(way_out: str) -> str:
    unchanged = " Nothing was changed."
    return (
        f"{way_out.removesuffix(unchanged)} If revisions were squashed or renamed, "
        f"`{as_typed('inv adopt --dry-run')}` says which one the schema is.{unchanged}"
    )


def refuse_ahead(inspection: Inspection, disposal: str | None = None) -> SchemaAheadError:
    """Return why nothing is done with revisions that only a newer release has."""
    reason = (
        f", and {listed(inspection.contracting)} {are(inspection.contracting)} not journalled as "
        "expand"
        if inspection.contracting
        else ", which cannot take back what it does not know"
    )
    return SchemaAheadError(
        f"The database is at {listed(inspection.current)}, ahead of this release, whose head is "
        f"{listed(inspection.heads)}{reason}.",
        way_back(
            inspection,
            disposal,
            "Deploy the release that has it, or roll the database back with that release.",
        ),
    )


def _stay(inspection: Inspection) -> str:
    """Return the target by which the schema stays as it is."""
    return ",".join(inspection.current)


def _ahead(inspection: Inspection) -> str:
    return (
        f"The database is at {listed(inspection.current)}, ahead of this release, whose head is "
        f"{listed(inspection.heads)}. The journal marks the additional "
        f"revisions ({listed(inspection.unknown)}) as expand, so this release works on the schema."
    )


def unmanaged(inspection: Inspection) -> SchemaUnmanagedError:
    """Return the refusal of an operation that needs a recorded revision."""
    return SchemaUnmanagedError(
        f"The database has tables ({some(inspection.tables)}) but no revision recorded.",
        f"See with `{as_typed('inv adopt --dry-run')}` whether it is at one, and record it with "
        f"`{as_typed('inv adopt')}`. Nothing was changed.",
    )


def refuse_too_long(it: TooLong, unchanged: str = "Nothing was changed.") -> HistoryBrokenError:
    """Return why revisions with such ids do not run."""
    is_one = len(it.ids) == 1
    return HistoryBrokenError(
        f"{'The revision id' if is_one else 'The revision ids'} {some(it.ids)} "
        f"{'is' if is_one else 'are'} longer than the {it.room} characters of version_num in "
        f"{it.table}.",
        f"Give {'the revision a shorter id' if is_one else 'these revisions shorter ids'}, or make "
        f"room with `{it.widening}`. {unchanged}",
    )


def refuse_unencodable(
    it: Unencodable, unchanged: str = "Nothing was changed."
) -> HistoryBrokenError:
    """Return why revisions with such ids do not run."""
    is_one = len(it.ids) == 1
    return HistoryBrokenError(
        f"{'The revision id' if is_one else 'The revision ids'} {some(it.ids)} "
        f"{'has' if is_one else 'have'} characters that the encoding of the database "
        f"({it.encoding}) does not have.",
        f"Give {'the revision an id' if is_one else 'these revisions ids'} of letters and digits "
        f"in ASCII. {unchanged}",
    )
