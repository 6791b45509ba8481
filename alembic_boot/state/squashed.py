"""Revisions that were replaced by a recorded one, after a history was squashed."""

from collections.abc import Iterable

from alembic_boot.history.history import History
from alembic_boot.state.inspection import Applied


def taken_along(
    taken_back: Iterable[str], journal: Iterable[Applied], history: History
) -> tuple[str, ...]:
    """Return the revisions of an older history that are downgraded together with these.

    A revision that was recorded in place of others has them as parents in the journal. Its
    downgrade undoes their changes, so none of them is in the database any more.
    """
    entries = {entry.revision: entry for entry in journal}
    found: list[str] = []
    waiting = [it for name in taken_back if name in entries for it in entries[name].parents]
    while waiting:
        name = waiting.pop()
        if name in entries and name not in history.revisions and name not in found:
            found.append(name)
            waiting += entries[name].parents
    return tuple(found)
