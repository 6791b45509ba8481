"""Name the files of an id that is on disk twice: Alembic names the id alone."""

from collections import defaultdict
from collections.abc import Iterable
from typing import cast

from alembic.script import Script, ScriptDirectory

from backend.boot.errors import HistoryBrokenError


def refuse_ids_that_are_twice(scripts: ScriptDirectory) -> None:
    """Raise HistoryBrokenError if two files have the same id. Every file must be readable."""
    files: defaultdict[str, list[str]] = defaultdict(list)
    # Alembic's map of the revisions keeps one of the two; what the map is made from has both.
    for script in cast("Iterable[Script]", scripts.revision_map._generator()):
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
