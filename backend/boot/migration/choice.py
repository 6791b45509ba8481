"""Which revision to record for a schema that is like these: one, or a refusal that says why not."""

import logging

from backend.boot.catalogue.likeness import Likeness, Likenesses
from backend.boot.errors import ConfigurationError, SchemaUnmanagedError
from backend.boot.revisions.history import History, resolve_target

_log = logging.getLogger(__name__)

_SHOWN = 20
"""Differences that are listed."""


def resolve(history: History, wanted: str | None) -> str | None:
    """Return the one revision that somebody's word for it stands for. Raises ConfigurationError."""
    if wanted is None:
        return None
    revisions = resolve_target(history, wanted, rollback=False).revisions
    if len(revisions) == 1:
        return revisions[0]
    raise ConfigurationError(
        f"{wanted!r} stands for {len(revisions)} revisions.",
        "Name the one that the database is at. Nothing was changed.",
    )


def choose(likenesses: Likenesses, history: History, wanted: str | None = None) -> str:
    """Return which revision to record; logs the differences where there is none.

    The only one that is equal; of several the one that is wanted, which must be one of them.
    Raises SchemaUnmanagedError.
    """
    equal = [it for it in likenesses.equal if wanted is None or wanted in it]
    if len(equal) == 1 and len(equal[0]) == 1:
        return equal[0][0]
    if len(equal) > 1:
        names = ", ".join(_label(it, history) for it in equal)
        raise SchemaUnmanagedError(
            f"The schema is that of several revisions: {names}.",
            f"Say which one it is: `inv adopt --revision {equal[-1][0]}`. Nothing was changed.",
        )
    if equal:
        # Recorded one after the other, a start that is killed between leaves the half of them.
        raise SchemaUnmanagedError(
            f"The schema is that of several branches, at {_label(equal[0], history)}.",
            f"Record them together: `alembic stamp {' '.join(equal[0])}`. Nothing was changed.",
        )
    raise _unlike(likenesses, history, wanted)


def _unlike(likenesses: Likenesses, history: History, wanted: str | None) -> SchemaUnmanagedError:
    advice = "Mend the schema by hand until it is that of a revision, or use an empty database."
    if wanted is None:
        nearest = likenesses.nearest
        labels = [_label(it, history) for it in likenesses.as_near]
        verb = "is nearest" if len(labels) == 1 else "are equally near"
        what = f"The schema is that of no revision; {', '.join(labels)} {verb}"
        advice += " `inv adopt --dry-run --revision REV` shows the differences to another one."
    else:
        what = f"The schema is not that of {history.label(wanted)}"
        if (like := likenesses.of(wanted)) is None:
            return SchemaUnmanagedError(
                f"{what}: a branch that others stand beside is no schema by itself.",
                "Leave the revision out to see what the schema is like. Nothing was changed.",
            )
        nearest = like
        if likenesses.equal:
            advice = (
                "It is that of "
                f"{', '.join(_label(it, history) for it in likenesses.equal)}: say `inv adopt` "
                "alone, or with one of these."
            )
    lines = nearest.lines()
    _list(nearest, lines)
    return SchemaUnmanagedError(
        f"{what}, with {len(lines)} difference{'s' * (len(lines) != 1)}.",
        f"{advice} Nothing was changed.",
    )


def _list(like: Likeness, lines: tuple[str, ...]) -> None:
    for line in lines[:_SHOWN]:
        _log.error("%s: %s", " and ".join(like.revisions), line)
    if len(lines) > _SHOWN:
        _log.error("… and %d more", len(lines) - _SHOWN)


def _label(revisions: tuple[str, ...], history: History) -> str:
    return " and ".join(history.label(revision) for revision in revisions)
