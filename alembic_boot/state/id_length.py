"""Revision ids that are longer than the version table's column."""

from collections.abc import Iterable
from pathlib import Path

from alembic_boot.environment.version_table import VersionTable
from alembic_boot.history.history import History
from alembic_boot.state.inspection import TooLong

_WIDE = "varchar(255)"


def too_long(
    ids: Iterable[str], history: History, version_table: VersionTable, *, is_there: bool
) -> TooLong | None:
    """Return the revisions that could not be recorded after they have run, in this order.

    A revision that names the version table may widen the column: that revision and later ones are
    not checked. `is_there` tells whether the table exists already.
    """
    room = version_table.room
    found: list[str] = []
    for revision in ids:
        known = history.revisions.get(revision)
        if room is None or (known and _names(known.path, version_table)):
            break
        if len(revision) > room:
            found.append(revision)
    if not found or room is None:
        return None
    widening = (
        f"ALTER TABLE {version_table} ALTER version_num TYPE {_WIDE}"
        if is_there
        else f"CREATE TABLE {version_table} (version_num {_WIDE} PRIMARY KEY)"
    )
    return TooLong(tuple(found), str(version_table), room, widening)


def _names(path: Path | None, version_table: VersionTable) -> bool:
    if path is None:
        return False
    source = path.read_bytes()
    return version_table.name.encode() in source or b"version_num" in source
