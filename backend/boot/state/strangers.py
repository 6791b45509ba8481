"""Sentences about revisions that a database has and the files on disk do not describe."""

import shlex

from backend.boot.commands import as_typed
from backend.boot.errors import HistoryBrokenError
from backend.boot.state.inspection import Applied, Inspection, Replaced


def not_as_applied(inspection: Inspection, disposal: str | None) -> HistoryBrokenError:
    """Return the refusal of a history whose files are not those that were applied.

    `disposal` says how the database can be thrown away; None if its data counts.
    """
    first, *others = inspection.replaced
    more = (
        f" The same is true of {', '.join(it.entry.revision for it in others)}." if others else ""
    )
    what = f"{_difference(first)}{more}"
    if disposal is None:
        advice = "Put the file back as it was, and write what it should do into a new revision."
        return HistoryBrokenError(what, f"{advice} Nothing was changed.")
    return HistoryBrokenError(what, _in_development(first.entry.parents or ("base",), disposal))


def way_back(inspection: Inspection, disposal: str | None, otherwise: str) -> str:
    """Return what to do about unknown revisions, with all that the journal says of them.

    `otherwise` is the advice for a database whose data counts.
    """
    entries = {entry.revision: entry for entry in inspection.strangers}
    tips = [entries[row] for row in inspection.current if row in entries]
    applied = "".join(f"{it.revision} was {_applied(it)}. " for it in tips if it.when)
    if disposal is None:
        return f"{applied}{otherwise}"
    return applied + _in_development(inspection.roots, disposal)


def _difference(replaced: Replaced) -> str:
    entry = replaced.entry
    places = (
        f"on {_listed(entry.parents)}, and the file stands on {_listed(replaced.parents)}"
        if replaced.is_moved
        else ""
    )
    applied = f"this database's {entry.revision} ({_applied(entry)})"
    if replaced.is_same_upgrade:
        return f"{replaced.file} was moved after it was applied: {applied} stands {places}."
    another = "" if replaced.is_same_revision else ", or it is another revision with the same id"
    return (
        f"{replaced.file} was edited after it was applied{another}: {applied} ran other code"
        f"{places and f' {places}'}."
    )


def _applied(entry: Applied) -> str:
    when = f" {entry.when.astimezone():%Y-%m-%d %H:%M}" if entry.when else ""
    host = f" by host {entry.host}" if entry.host else ""
    release = f", release {entry.app_version}" if entry.app_version else ""
    return f"applied{when}{host}{release}"


def _in_development(below: tuple[str, ...], disposal: str) -> str:
    """Return both ways out on a laptop; `below` is where the strange revisions stand."""
    target = f" --target {shlex.quote(below[0])}" if len(below) == 1 else ""
    return (
        "Bring the applied file back (check out its branch or commit), say "
        f"`{as_typed(f'inv rollback{target}')}`, come back, and say "
        f"`{as_typed('inv migrate')}`. Or throw this development database away: {disposal}. "
        "Nothing was changed."
    )


def _listed(revisions: tuple[str, ...]) -> str:
    return ", ".join(revisions) or "base"
