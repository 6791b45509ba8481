"""Alembic's directory of revisions, with files that are imported only when they are to run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from alembic import util
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import Revision as RevisionNode
from alembic.script.revision import RevisionMap

from backend.boot.environment.duplicates import refuse_ids_that_are_twice
from backend.boot.environment.failures import describe_error, package_missing
from backend.boot.errors import BootError, HistoryBrokenError
from backend.boot.revisions.checksum import file_sha256
from backend.boot.revisions.headers import Header, read_header
from backend.boot.revisions.history import Revision
from backend.boot.signals import Stopped


class UnloadedScript(Script):
    """A revision that was placed in its history by its header; its module is loaded when asked."""

    def __init__(self, header: Header, path: str, sha256: str) -> None:
        RevisionNode.__init__(
            self,
            header.revision,
            header.down_revision,
            dependencies=header.depends_on,
            branch_labels=header.branch_labels,
        )
        self.header = header
        self.path = path
        self.sha256 = sha256

    @cached_property
    def module(self) -> ModuleType:  # type: ignore[override]
        """Import the file. Raises HistoryBrokenError if it then says something else."""
        path = Path(self.path)
        module = util.load_python_file(str(path.parent), path.name)
        said, read = _placing(module), _placing(self.header)
        if said != read:
            names = " and ".join(name for name in said if said[name] != read[name])
            raise HistoryBrokenError(
                f"{path.name} changes its own {names} while it is imported.",
                f"Write {names} as plain text at the top of the file.",
            )
        return module

    @property
    def longdoc(self) -> str:
        """Return the docstring."""
        return (self.header.doc or "").strip()


def leave_unloaded(scripts: ScriptDirectory) -> None:
    """Have a directory read its revisions by their headers.

    A file whose header is not plain is imported, as Alembic does with every file. So the graph is
    always the one that Alembic would build.
    """
    scripts.revision_map = RevisionMap(lambda: _consistent(list(_read(scripts))))


def load_revision(scripts: ScriptDirectory, revision: str) -> None:
    """Import a revision's file, and find what runs it. Raises HistoryBrokenError."""
    script = scripts.get_revision(revision)
    with reading(scripts):
        has_upgrade = callable(getattr(script.module, "upgrade", None))
    if not has_upgrade:
        raise broken(f"{Path(script.path).name} has no upgrade()")


@contextmanager
def reading(scripts: ScriptDirectory) -> Iterator[None]:
    """Turn what revisions raise when they are imported into a failure.

    Raises ConfigurationError for a package that is missing, else HistoryBrokenError.
    """
    try:
        yield
    except (BootError, Stopped):
        raise
    except BaseException as error:
        if missing := package_missing(error, scripts):
            raise missing from error
        raise broken(describe_error(error, scripts)) from error


def broken(problem: str) -> HistoryBrokenError:
    """Return the refusal of a history with this problem."""
    return HistoryBrokenError(
        f"The migration history is broken: {problem}.",
        "Fix it and start again; the database was not touched.",
    )


def describe(script: Script) -> Revision:
    """Return a revision as plain data."""
    parents = script.down_revision or ()
    path = Path(script.path)
    if isinstance(script, UnloadedScript):
        phase: str | None = script.header.phase
        sha256: str | None = script.sha256
    else:
        phase = getattr(script.module, "phase", None)
        sha256 = file_sha256(path.read_bytes()) if path.suffix == ".py" else None
    return Revision(
        id=script.revision,
        parents=(parents,) if isinstance(parents, str) else tuple(parents),
        title=" ".join((script.doc or script.revision).split()).rstrip("."),
        depends_on=tuple(sorted(script._resolved_dependencies)),
        branch_labels=tuple(sorted(script.branch_labels)),
        phase=phase,
        path=path,
        file_sha256=sha256,
    )


def all_scripts(scripts: ScriptDirectory) -> list[Script]:
    """Return every revision, in any order; `walk_revisions()` takes as long again for its order."""
    found = scripts.revision_map._revision_map
    # Labels lead to a revision as well, and None to nothing.
    return [it for name, it in found.items() if isinstance(it, Script) and it.revision == name]


def _consistent(found: list[Script]) -> list[Script]:
    """Return the revisions. Raises HistoryBrokenError if one is there twice, or a parent is not.

    Alembic only warns of both, and goes on to a KeyError.
    """
    known = {script.revision for script in found}
    if len(known) < len(found):
        refuse_ids_that_are_twice(found)
    known.update(label for script in found for label in script.branch_labels)
    for script in found:
        for name in (*_names(script.down_revision), *_names(script.dependencies)):
            if name not in known:
                where = Path(script.path).name
                raise broken(f"Revision {name} referenced from {where} is not present")
    return found


def _names(said: Any) -> tuple[str, ...]:
    return util.to_tuple(said, default=())


def _read(scripts: ScriptDirectory) -> Iterator[Script]:
    """Give every revision on disk, in the order in which Alembic reads the files."""
    seen: set[str] = set()
    for path in _files(scripts):
        if path in seen:
            util.warn(f"File {path} is in two version locations; it is read once.")
            continue
        seen.add(path)
        if script := _script(scripts, path):
            yield script


def _script(scripts: ScriptDirectory, path: str) -> Script | None:
    """Return the revision in a file; None if the file is of another kind."""
    name = os.path.basename(path)  # noqa: PTH119 (no Path for each of thousands of files)
    if name.endswith(".py") and not name.startswith((".#", "__init__")) and name != ".py":
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 (see above)
            source = file.read()
        if header := read_header(source):
            return UnloadedScript(header, path, file_sha256(source))
    try:
        return Script._from_path(scripts, path)
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
    for location in scripts._version_locations:
        if not location.exists():
            continue
        if scripts.sourceless:
            yield from (os.path.realpath(it) for it in Script._list_py_dir(scripts, location))
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


def _placing(source: object) -> dict[str, tuple[str, ...]]:
    """Return the names that place a revision in its history, as a module or a header has them."""
    names = ("revision", "down_revision", "depends_on", "branch_labels")
    return {name: util.to_tuple(getattr(source, name, None), default=()) for name in names}
