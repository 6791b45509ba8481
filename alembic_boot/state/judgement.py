"""Judge whether the schema fits this release: probes, the router and the status page print it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from alembic_boot.commands import as_typed
from alembic_boot.errors import (
    SchemaAheadError,
    SchemaDivergedError,
    SchemaPastError,
    SchemaUnmanagedError,
    SeveralHeadsError,
)
from alembic_boot.state.inspection import Inspection, SchemaState
from alembic_boot.state.plan import Action, Plan
from alembic_boot.state.readiness import Readiness

MOVED = "The schema has moved since the models were compared with it. They are compared again now."

_REVISION = 'revision --message "what changed"'

_SEEN_ANEW = frozenset(
    it.__name__
    for it in (SchemaPastError, SchemaAheadError, SchemaDivergedError, SeveralHeadsError)
)
"""Failures that each look finds again as long as they last."""

Facts = Mapping[str, Any]
"""What the boot has handed over to the application, as `serving/handover.py` has it."""


def judge(
    inspection: Inspection,
    plan: Plan,
    facts: Facts,
    unfit: str | None = None,
    *,
    has_moved: bool = False,
) -> Readiness:
    """Return whether the schema fits this release, and otherwise why; the present comes first.

    `unfit` is why requests fail although the revision is the right one. A failure of the boot is
    over if the schema `has_moved` since, or if this look would have found it again.
    """
    found = Readiness(
        ready=False,
        state=inspection.state.value,
        current=inspection.current,
        target=inspection.target.name,
    )
    if plan.action is Action.NOTHING:
        if (differences := facts.get("differences")) is None:
            return replace(found, ready=unfit is None, reason=unfit)
        if facts.get("compared_at") != list(inspection.current):
            return replace(found, reason=MOVED)
        return replace(found, reason=differences, command=as_typed(_REVISION))
    if (refusal := plan.refusal) is not None:
        command = as_typed(refusal.command) if refusal.command else None
        return replace(found, reason=refusal.public, cause=str(refusal), command=command)
    failure = facts.get("failure")
    if failure and not has_moved and not _is_over(facts.get("kind"), inspection.state):
        return replace(found, reason=failure, command=facts.get("command"))
    current = ", ".join(inspection.current) or "base"
    reason = (
        f"The schema is {inspection.state.words} at {current}, and should be at "
        f"{inspection.target.name}: run `{as_typed('migrate', is_public=True)}`."
    )
    return replace(found, reason=reason, command=as_typed("migrate"))


def _is_over(kind: str | None, state: SchemaState) -> bool:
    """Return whether a failure of the boot is over, because this look has not found it again."""
    is_unmanaged = state is SchemaState.UNMANAGED
    return kind in _SEEN_ANEW or (kind == SchemaUnmanagedError.__name__ and not is_unmanaged)


def shown(said: Readiness | None, own: Readiness) -> Readiness:
    """Return the readiness that a page shows: what the service says, or the page's own details.

    An answer without a state is not about the schema: it cannot say that the schema fits.
    """
    if said is None or not (own.ready or (said.ready and said.state)):
        return own
    return said
