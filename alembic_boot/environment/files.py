"""Find the revisions of an Alembic project on disk, as Alembic finds them."""

import os
from collections.abc import Iterator, Mapping

from alembic import util
from alembic.script import Script, ScriptDirectory

from alembic_boot.errors import HistoryBrokenError
from alembic_boot.history.ahead import read_ahead
from alembic_boot.history.headers import is_source, read_file
from alembic_boot.history.history import Revision
from alembic_boot.private_names import compiled_files, script_from_path, version_locations


def read_files(scripts: ScriptDirectory) -> Iterator[Revision | Script]:
    """Yield every revision on disk, in the order in which Alembic reads the files.

    A file is imported only if its header cannot be read.
    """
    ahead = read_ahead()
    seen: set[str] = set()
    for path in _files(scripts):
        if path in seen:
            util.warn(f"File {path} is in two version locations; it is read once.")
            continue
        seen.add(path)
        if found := _revision(scripts, path, ahead):
            yield found


def _revision(
    scripts: ScriptDirectory, path: str, ahead: Mapping[str, Revision]
) -> Revision | Script | None:
    """Return the revision in a file; None if the file is of another kind."""
    name = os.path.basename(path)  # noqa: PTH119 (no Path for each of thousands of files)
    if is_source(name) and (found := ahead.get(path) or read_file(path)):
        return found
    try:
        return script_from_path(scripts, path)
    except AttributeError as error:
        if error.name != "down_revision" or getattr(error.obj, "__file__", None) != path:
            raise
        raise HistoryBrokenError(
            f"The migration history is broken: {name} has no down_revision.",
            'Write `down_revision = "…"` into the file, with the id of the revision before it, or '
            "`down_revision = None` if it is the first; the database was not touched.",
        ) from error


def _files(scripts: ScriptDirectory) -> Iterator[str]:
    """Give the files of all version locations, with their links resolved.

    They are strings, because a history may have thousands: Path is a third of the whole time.
    """
    for location in version_locations(scripts):
        if not location.exists():
            continue
        if scripts.sourceless:
            yield from (os.path.realpath(it) for it in compiled_files(scripts, location))
        else:
            yield from _below(str(location), recursively=scripts.recursive_version_locations)


def _below(folder: str, *, recursively: bool) -> Iterator[str]:
    """Give the files of a folder, sorted, and then those of the folders in it."""
    folder = os.path.realpath(folder)
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if not entry.is_dir():
            yield os.path.realpath(entry.path) if entry.is_symlink() else entry.path
    if recursively:
        for entry in entries:
            is_own = entry.is_dir(follow_symlinks=False)
            if is_own and not entry.name.endswith("__pycache__"):
                yield from _below(entry.path, recursively=True)
