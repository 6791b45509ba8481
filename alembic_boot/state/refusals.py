"""The refusal for each state that a plan does not change: what is wrong, and what to do."""

import shlex
from collections.abc import Iterable, Sequence

from alembic_boot.commands import as_typed, setting
from alembic_boot.errors import (
    HistoryBrokenError,
    MigrationFailedError,
    SchemaAheadError,
    SchemaDivergedError,
    SchemaPastError,
    SchemaUnmanagedError,
    some,
)
from alembic_boot.history.history import History
from alembic_boot.history.source import why_irreversible
from alembic_boot.state.edits import Replaced
from alembic_boot.state.inspection import Inspection
from alembic_boot.state.journal import Journal
from alembic_boot.state.journal_rows import Applied, Unfinished

_UNCHANGED = " Nothing was changed."


def refuse_past(inspection: Inspection) -> SchemaPastError:
    """Return the refusal of a database beyond the target."""
    target = inspection.target.name
    command = f"rollback --target {shlex.quote(target)}"
    error = SchemaPastError(
        f"The database is at {_listed(inspection.current)}, beyond the target {target}.",
        f"Set {setting('TARGET')}={','.join(inspection.current)} to stay there, leave it out to go "
        f"up to head, or run `{as_typed(command)}` (or "
        f"{setting('ROLLBACK')}=true) to go down.",
    )
    error.command = command
    return error


def refuse_ahead(inspection: Inspection, disposal: str | None = None) -> SchemaAheadError:
    """Return why nothing is done with revisions that only a newer release has."""
    reason = (
        f", and {_are(inspection.contracting)} not journalled as expand"
        if inspection.contracting
        else ", which cannot take back what it does not know"
    )
    return SchemaAheadError(
        f"{_ahead(inspection)}{reason}.",
        way_back(
            inspection,
            disposal,
            "Deploy the release that has it, or roll the database back with that release.",
        )
        + _UNCHANGED,
    )


def warn_ahead(inspection: Inspection) -> str:
    """Return the warning about a database whose unknown revisions all are expand revisions."""
    return (
        f"{_ahead(inspection)}. The journal marks the additional revisions "
        f"({_listed(inspection.unknown)}) as expand, so this release works on the schema."
    )


def _ahead(inspection: Inspection) -> str:
    return (
        f"The database is at {_listed(inspection.current)}, ahead of this release, whose head is "
        f"{_listed(inspection.heads)}"
    )


def refuse_unmanaged(inspection: Inspection) -> SchemaUnmanagedError:
    """Return the refusal of an operation that needs a recorded revision."""
    return SchemaUnmanagedError(
        f"The database has tables ({some(inspection.tables)}) but no revision recorded.",
        f"See with `{as_typed('adopt --dry-run')}` whether it is at one, and record it with "
        f"`{as_typed('adopt')}`. {if_none_belongs()}{_UNCHANGED}",
    )


def if_none_belongs() -> str:
    """Return the advice for a database whose tables are not of this history."""
    return (
        f"If none of these tables belongs to this history: `{as_typed('stamp --revision base')}`."
    )


def refuse_diverged(inspection: Inspection, disposal: str | None) -> SchemaDivergedError:
    """Return the refusal of a database that is not on one line with this history."""
    advice = (
        "Deploy the release that has that revision, or restore a database that belongs to this one."
    )
    squashed = (
        f" If revisions were squashed or renamed, `{as_typed('adopt --dry-run')}` says which one "
        "the schema is."
    )
    if inspection.unknown:
        reason = (
            f"{_are(inspection.unknown)} not in this release's history, whose head is "
            f"{_listed(inspection.heads)}"
        )
        advice = way_back(inspection, disposal, advice) + squashed
        if not inspection.staying:  # nothing tells of a revision of this history
            other = (
                "If another history uses this database, give each its own version_table in env.py."
            )
            # The journal has the first revision of a history, and it is not that of this one.
            began = any(not it.parents and not it.is_stamp for it in inspection.unknown_rows)
            advice = f"{other} {advice}" if began else f"{advice} {other}"
    elif inspection.is_twofold:
        reason = "one of these is the ancestor of another, or is recorded twice"
        advice += squashed
    else:
        reason = f"that and the target {inspection.target.name} lie on different branches"
        advice = (
            f"Set {setting('TARGET')}=heads to have both branches, or to a revision that joins "
            f"them, as `{as_typed('merge')}` writes it."
        )
    return SchemaDivergedError(
        f"The database is at {_listed(inspection.current)}, and {reason}.", f"{advice}{_UNCHANGED}"
    )


def refuse_replaced(inspection: Inspection, disposal: str | None) -> HistoryBrokenError:
    """Return the refusal of a history whose files differ from those that were applied.

    `disposal` tells how the database can be thrown away; None if its data counts.
    """
    first, *others = inspection.replaced
    same = some([it.entry.revision for it in others], 3)
    what = _difference(first) + (f" The same is true of {same}." if others else "")
    advice = "Put the file back as it was, and write what it should do into a new revision."
    if disposal is not None:
        # The parents of a stamp may be the revisions that it replaced.
        parents = first.parents if first.entry.is_stamp else first.entry.parents
        rollback = _rollback(parents[0] if parents else "base")
        advice = _bring_back(rollback)
        if not (inspection.unknown or any(it.is_moved for it in inspection.replaced)):
            advice += (
                " Or keep the edited files, if downgrade() still undoes what was applied: run "
                f"{rollback}, and then `{as_typed('migrate')}`."
            )
        advice += _or_throw_away(disposal)
    return HistoryBrokenError(what, f"{advice}{_UNCHANGED}")


def refuse_irreversible(steps: Iterable[str], history: History) -> MigrationFailedError | None:
    """Return why steps down cannot be taken; None if each file has a downgrade."""
    revisions = [history.revisions[it] for it in steps]
    reasons = [
        f"{it.label}: {why}"
        for it in revisions
        if (source := it.source()) is not None and (why := why_irreversible(source))
    ]
    if not reasons:
        return None
    return MigrationFailedError(
        f"The schema cannot be taken back: {'; '.join(reasons)}.",
        f"Write a downgrade(), or restore a backup.{_UNCHANGED}",
    )


def refuse_partial_commit(
    attempt: Unfinished, history: History, journal: Journal
) -> MigrationFailedError:
    """Return why a revision is not run again after a part of it was committed."""
    stamp = f" and say so with `{as_typed(f'stamp --revision {attempt.revision}')}`"
    delete = f"DELETE FROM {journal.table} WHERE id = {attempt.id}"  # noqa: S608 (quoted)
    back = f"Take that part back and say so with `{delete}`"
    by_hand = f"finish the revision by hand{stamp if attempt.direction == 'upgrade' else ''}"
    return MigrationFailedError(
        f"Migration {history.label(attempt.revision)} was interrupted after it had committed a "
        f"part of itself ({attempt.committed}), which may do harm if it is repeated.",
        f"{back}, or {by_hand}, or change the file so that it can be run again.{_UNCHANGED}",
    )


def way_back(inspection: Inspection, disposal: str | None, otherwise: str) -> str:
    """Return the advice for unknown revisions, with all that the journal knows of them.

    `otherwise` is the advice for a database whose data counts.
    """
    stamps = [it for it in inspection.unknown_rows if it.is_stamp]
    tips = _tips(inspection)
    said = [*tips[:3], *(it for it in stamps if it not in tips[:3])][:3]
    origin = "".join(map(_origin, said))
    if disposal is None:
        return f"{origin}{otherwise}"
    restamp = as_typed("adopt --restamp")
    if is_stamped(inspection):
        way = f"If the schema is that of a revision here, record that revision with `{restamp}`."
    elif stamps:
        way = _bring_back(_rollback(stamps[-1].revision), restamp)
    else:
        way = _bring_back(_rollback(_down_to(inspection)))
    return f"{origin}{way}{_or_throw_away(disposal)}"


def is_stamped(inspection: Inspection) -> bool:
    """Return whether all unknown rows were only recorded, so that there is nothing to downgrade."""
    unknown = set(inspection.current).intersection(inspection.unknown)
    tips = _tips(inspection)
    return bool(tips) and len(tips) == len(unknown) and all(it.is_stamp for it in tips)


def _tips(inspection: Inspection) -> list[Applied]:
    entries = {entry.revision: entry for entry in inspection.unknown_rows}
    return [entries[row] for row in inspection.current if row in entries]


def _down_to(inspection: Inspection) -> str | None:
    """Return the target below all unknown revisions; None if only one step down is known.

    The last of several has no other one above it, so the smallest downgrade is chosen.
    """
    if inspection.staying:
        return inspection.staying[-1]
    is_one_row = len(inspection.current) == 1
    return None if is_one_row and not inspection.unknown_rows else "base"


def _difference(replaced: Replaced) -> str:
    entry = replaced.entry
    places = f"on {_listed(entry.parents)}, and the file stands on {_listed(replaced.parents)}"
    applied = f"revision {entry.revision} of this database ({_applied(entry)})"
    if replaced.is_same_upgrade:
        return f"{replaced.file} was moved after it was applied: {applied} stands {places}."
    another = "" if replaced.is_same_revision else ", or it is another revision with the same id"
    stands = f". It stands {places}" if replaced.is_moved else ""
    return (
        f"{replaced.file} was edited after it was applied{another}: {applied} has other code than "
        f"the file{stands}."
    )


def _origin(entry: Applied) -> str:
    if entry.is_stamp:
        below = f"; it replaced or stands on {_listed(entry.parents)}" if entry.parents else ""
        return f"{entry.revision} was {_applied(entry)}{below}. "
    return f"{entry.revision} was {_applied(entry)}. " if entry.when else ""


def _applied(entry: Applied) -> str:
    how = "recorded by a stamp" if entry.is_stamp else "applied"
    when = f" {entry.when.astimezone():%Y-%m-%d %H:%M}" if entry.when else ""
    host = f" by host {entry.host}" if entry.host else ""
    release = f", release {entry.app_version}" if entry.app_version else ""
    return f"{how}{when}{host}{release}"


def _rollback(target: str | None) -> str:
    """Return the command that downgrades to a target; without one, by one step."""
    option = f" --target {shlex.quote(target)}" if target else ""
    return f"`{as_typed(f'rollback{option}')}`"


def _bring_back(rollback: str, then: str | None = None) -> str:
    return (
        f"Bring the applied files back (check out their branch or commit), run {rollback}, come "
        f"back, and run `{then or as_typed('migrate')}`."
    )


def _or_throw_away(disposal: str) -> str:
    return f" Or throw this development database away: {disposal}."


def _listed(revisions: Sequence[str]) -> str:
    return some(revisions, 3) or "base"


def _are(revisions: Sequence[str]) -> str:
    return f"{_listed(revisions)} {'is' if len(revisions) == 1 else 'are'}"
