"""Sentences about revisions that differ from the files on disk, or have no file."""

import shlex

from alembic_boot.commands import as_typed
from alembic_boot.errors import HistoryBrokenError
from alembic_boot.state.inspection import Applied, Inspection, Replaced
from alembic_boot.state.name_lists import listed, some


def not_as_applied(inspection: Inspection, disposal: str | None) -> HistoryBrokenError:
    """Return the refusal of a history whose files differ from those that were applied.

    `disposal` tells how the database can be thrown away; None if its data counts.
    """
    first, *others = inspection.replaced
    more = (
        f" The same is true of {some([it.entry.revision for it in others], 3)}." if others else ""
    )
    what = f"{_difference(first)}{more}"
    if disposal is None:
        advice = "Put the file back as it was, and write what it should do into a new revision."
        return HistoryBrokenError(what, f"{advice} Nothing was changed.")
    # The parents of a stamp may be the revisions that it replaced.
    parents = first.parents if first.entry.is_stamp else first.entry.parents
    rollback = _rollback(parents[0] if parents else "base")
    is_way_down = not (inspection.unknown or any(it.is_moved for it in inspection.replaced))
    edited = (
        f" Or keep the edited file{'s' if others else ''}, if downgrade() still undoes what was "
        f"applied: run {rollback}, and then `{as_typed('inv migrate')}`."
        if is_way_down
        else ""
    )
    back = _bring_back(len(inspection.replaced), rollback)
    return HistoryBrokenError(what, f"{back}{edited} {_throw_away(disposal)}")


def way_back(inspection: Inspection, disposal: str | None, otherwise: str) -> str:
    """Return the advice for unknown revisions, with all that the journal knows of them.

    `otherwise` is the advice for a database whose data counts.
    """
    stamps = tuple(it for it in inspection.unknown_rows if it.is_stamp)
    tips = _tips(inspection)
    said = [*tips[:3], *(it for it in stamps if it not in tips[:3])][:3]
    origin = "".join(_origin(it) for it in said)
    if disposal is None:
        return f"{origin}{otherwise}"
    if not stamps:
        back = _bring_back(len(inspection.unknown), _rollback(_down_to(inspection)))
        return f"{origin}{back} {_throw_away(disposal)}"
    restamp = as_typed("inv adopt --restamp")
    if is_stamped(inspection):
        way = f"If the schema is that of a revision here, record that revision with `{restamp}`."
    else:
        above = len(inspection.unknown) - len(stamps)
        way = _bring_back(above, _rollback(stamps[-1].revision), "inv adopt --restamp")
    return f"{origin}{way} {_throw_away(disposal)}"


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
    places = (
        f"on {listed(entry.parents)}, and the file stands on {listed(replaced.parents)}"
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


def _origin(entry: Applied) -> str:
    if entry.is_stamp:
        below = f"; it replaced or stands on {listed(entry.parents)}" if entry.parents else ""
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
    return f"`{as_typed(f'inv rollback{option}')}`"


def _bring_back(number: int, rollback: str, then: str = "inv migrate") -> str:
    files, their = ("file", "its") if number == 1 else ("files", "their")
    return (
        f"Bring the applied {files} back (check out {their} branch or commit), run {rollback}, "
        f"come back, and run `{as_typed(then)}`."
    )


def _throw_away(disposal: str) -> str:
    return f"Or throw this development database away: {disposal}. Nothing was changed."
