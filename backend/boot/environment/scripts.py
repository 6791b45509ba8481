"""Alembic's directory of revisions, with files that are imported only when they are to run."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import ModuleType

from alembic import util
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import Revision as RevisionNode
from alembic.script.revision import RevisionMap

from backend.boot.environment.failures import describe_error
from backend.boot.errors import BootError, HistoryBrokenError
from backend.boot.revisions.headers import Header, read_header
from backend.boot.signals import Stopped


class UnloadedScript(Script):
    """A revision that was placed in its history by its header; its module is loaded when asked."""

    def __init__(self, header: Header, path: Path) -> None:
        RevisionNode.__init__(
            self,
            header.revision,
            header.down_revision,
            dependencies=header.depends_on,
            branch_labels=header.branch_labels,
        )
        self.header = header
        self.path = str(path)

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
    scripts.revision_map = RevisionMap(lambda: _read(scripts))


def load_revision(scripts: ScriptDirectory, revision: str) -> None:
    """Import a revision's file, and find what runs it. Raises HistoryBrokenError."""
    script = scripts.get_revision(revision)
    try:
        module = script.module
        has_upgrade = callable(getattr(module, "upgrade", None))
    except (BootError, Stopped):
        raise
    except (Exception, SystemExit) as error:
        raise broken(describe_error(error, scripts)) from error
    if not has_upgrade:
        raise broken(f"{Path(script.path).name} has no upgrade()")


def broken(problem: str) -> HistoryBrokenError:
    """Return the refusal of a history with this problem."""
    return HistoryBrokenError(
        f"The migration history is broken: {problem}.",
        "Fix it and start again; the database was not touched.",
    )


def phase_of(script: Script) -> str | None:
    """Return the phase that a revision's file says."""
    if isinstance(script, UnloadedScript):
        return script.header.phase
    phase: str | None = getattr(script.module, "phase", None)
    return phase


def _read(scripts: ScriptDirectory) -> Iterator[Script]:
    """Give every revision on disk, in the order in which Alembic reads the files."""
    seen: set[Path] = set()
    for path in _files(scripts):
        if path in seen:
            util.warn(f"File {path} is in two version locations; it is read once.")
            continue
        seen.add(path)
        if script := _script(scripts, path):
            yield script


def _script(scripts: ScriptDirectory, path: Path) -> Script | None:
    """Return the revision in a file; None if the file is of another kind."""
    header = read_header(path.read_bytes()) if _is_source(path.name) else None
    return Script._from_path(scripts, path) if header is None else UnloadedScript(header, path)


def _files(scripts: ScriptDirectory) -> Iterator[Path]:
    """Give the files of all version locations, with their links resolved."""
    folders: dict[Path, Path] = {}
    for location in scripts._version_locations:
        if location.exists():
            for path in Script._list_py_dir(scripts, location):
                if path.is_symlink():
                    yield path.resolve()
                else:
                    if path.parent not in folders:
                        folders[path.parent] = path.parent.resolve()
                    yield folders[path.parent] / path.name


def _is_source(name: str) -> bool:
    """Return whether Alembic takes a file of this name for a revision's source."""
    return name.endswith(".py") and not name.startswith((".#", "__init__"))


def _placing(source: object) -> dict[str, tuple[str, ...]]:
    """Return the names that place a revision in its history, as a module or a header has them."""
    names = ("revision", "down_revision", "depends_on", "branch_labels")
    return {name: util.to_tuple(getattr(source, name, None), default=()) for name in names}
