"""Choose the revision to record for a schema, or refuse with the reason."""

import logging

from alembic_boot.adoption.schema_matching import (
    Matches,
    Revisions,
    are_beside,
    are_of_order,
    equal_points,
    lines_of,
    nearest_points,
)
from alembic_boot.commands import as_typed
from alembic_boot.errors import ConfigurationError, SchemaUnmanagedError
from alembic_boot.history.history import History, resolve_target
from alembic_boot.state.refusals import if_none_belongs

_log = logging.getLogger(__name__)

_SHOWN = 20
"""Differences to list."""


def resolve(history: History, wanted: str | None) -> str | None:
    """Return the single revision that a given name stands for. Raises ConfigurationError."""
    if wanted is None:
        return None
    revisions = resolve_target(history, wanted, rollback=False).revisions
    if len(revisions) == 1:
        return revisions[0]
    raise ConfigurationError(
        f"{wanted!r} stands for {len(revisions)} revisions.",
        "Name the one that the database is at. "
        f"{'' if revisions else f'{if_none_belongs()} '}Nothing was changed.",
    )


def choose(
    matches: Matches, history: History, wanted: str | None, *, is_recorded: bool
) -> Revisions:
    """Return the revisions to record, one of each branch; log differences if none is equal.

    The result is the only equal revision; of several, the wanted one, which must be equal.
    `is_recorded` tells that the database has another revision recorded. Raises
    SchemaUnmanagedError.
    """
    equal = [it for it in equal_points(matches) if wanted is None or wanted in it]
    if len(equal) == 1:
        return equal[0]
    adopt = "adopt --restamp" if is_recorded else "adopt"
    if equal:
        others = {revision for it in equal[:-1] for revision in it}
        telling = next(revision for revision in equal[-1] if revision not in others)
        raise SchemaUnmanagedError(
            f"The schema is that of several revisions: {_labels(equal, history)}.",
            f"Say which one it is: `{as_typed(f'{adopt} --revision {telling}')}`. Nothing was "
            "changed.",
        )
    raise _unlike(matches, history, wanted, as_typed(adopt), is_recorded=is_recorded)


def _unlike(
    matches: Matches, history: History, wanted: str | None, adopt: str, *, is_recorded: bool
) -> SchemaUnmanagedError:
    advice = "Change the schema by hand until it is that of a revision, or " + (
        "bring it to the newest revision of the release that it comes from, with that release."
        if is_recorded
        else "use an empty database."
    )
    if wanted is None:
        nearest = nearest_points(matches)
        verb = "is nearest" if len(nearest) == 1 else "are equally near"
        what = f"The schema is that of no revision; {_labels(nearest, history)} {verb}"
        shown = nearest[-1]
        show = as_typed("adopt --dry-run --revision REV")
        advice += f" `{show}` shows the differences to another one."
        if not is_recorded:
            advice += f" {if_none_belongs()}"
    else:
        what = f"The schema is not that of {history.label(wanted)}"
        shown = (wanted,)
        if shown not in matches:
            return SchemaUnmanagedError(
                f"{what}: it is on one of several branches, and a single branch is not a whole "
                "schema.",
                "Leave the revision out to see what the schema is like. Nothing was changed.",
            )
        if equal := equal_points(matches):
            advice = (
                f"It is that of {_labels(equal, history)}: run `{adopt}` alone, or with one of "
                "these."
            )
    if not equal_points(matches) and are_beside(matches[shown]):
        stamp = f"stamp --revision {','.join(shown)}"
        advice += (
            " If what is unexpected is not of this history, and no later revision makes it: "
            f"`{as_typed(stamp)}` records that revision without a check."
        )
    if are_of_order(matches[shown]) and not equal_points(matches):
        advice = (
            "Only the order of enum labels differs, and no statement changes that. If nothing "
            "sorts or compares by that order, record the revision yourself: "
            f"`{as_typed(f'stamp --revision {shown[-1]}')}`."
        )
    differing = lines_of(matches[shown])
    for line in differing[:_SHOWN]:
        _log.error("%s: %s", " and ".join(shown), line)
    if len(differing) > _SHOWN:
        _log.error("… and %d more", len(differing) - _SHOWN)
    return SchemaUnmanagedError(
        f"{what}, with {len(differing)} difference{'s' * (len(differing) != 1)}.",
        f"{advice} Nothing was changed.",
    )


def _labels(points: list[Revisions], history: History) -> str:
    return ", ".join(" and ".join(map(history.label, revisions)) for revisions in points)
