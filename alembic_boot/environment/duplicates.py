"""Name the files of an id that is on disk twice: Alembic names the id alone."""

from collections import defaultdict
from collections.abc import Iterable

from alembic.script import Script

from alembic_boot.errors import HistoryBrokenError


def refuse_ids_that_are_twice(scripts: Iterable[Script]) -> None:
    """Raise HistoryBrokenError if two files have the same id."""
    files: defaultdict[str, list[str]] = defaultdict(list)
    for script in scripts:
        files[script.revision].append(script.path)
    twice = {id_: sorted(paths) for id_, paths in files.items() if len(paths) > 1}
    if not twice:
        return
    listed = "; ".join(f"{id_} is in {' and in '.join(paths)}" for id_, paths in twice.items())
    raise HistoryBrokenError(
        f"The migration history is broken: the same id is there twice: {listed}.",
        "Keep the file that databases have applied. Give the other one another `revision`, write "
        "that as `down_revision` into the files that follow it, and start again; the database was "
        "not touched.",
    )
