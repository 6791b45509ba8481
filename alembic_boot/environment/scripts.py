"""Alembic's directory of revisions, with files that are imported only when they are to run."""

import re
from collections import defaultdict
from contextlib import AbstractContextManager
from functools import cached_property
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from alembic import util
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import Revision as RevisionNode, RevisionMap

from alembic_boot.environment.failures import describe_error, failing_as
from alembic_boot.environment.files import read_files
from alembic_boot.errors import HistoryBrokenError
from alembic_boot.history.checksum import file_sha256
from alembic_boot.history.history import History, Revision, place, title
from alembic_boot.private_names import resolved_dependencies, scripts_by_name


class UnloadedScript(Script):
    """A revision that was placed in its history by its header; its module is loaded when asked."""

    def __init__(self, read: Revision) -> None:
        RevisionNode.__init__(
            self,
            read.id,
            read.parents,
            dependencies=read.depends_on,
            branch_labels=read.branch_labels,
        )
        self.read = read
        self.path = str(read.file)

    @cached_property
    def module(self) -> ModuleType:  # type: ignore[override]
        """Run the very bytes that were read for the history. Raises HistoryBrokenError.

        Python's compiled files are not used: they are found by the second and the size of the
        source, so one may be of the content before.
        """
        path = Path(self.path)
        source = path.read_bytes()
        if file_sha256(source) != self.read.file_sha256:
            raise HistoryBrokenError(
                f"{path.name} was changed while the history was read.",
                "Start again; the database was not touched.",
            )
        module = _module(path, source)
        names = " and ".join(_differences(module, self.read))
        if names:
            raise HistoryBrokenError(
                f"{path.name} changes its own {names} while it is imported.",
                f"Write {names} as plain text at the top of the file.",
            )
        return module


def _module(path: Path, source: bytes) -> ModuleType:
    """Make a module as Alembic does, which registers none."""
    spec = spec_from_file_location(re.sub(r"\W", "_", path.name), path)
    assert spec is not None  # noqa: S101 (the file's name ends with .py)
    module = module_from_spec(spec)
    exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)  # noqa: S102
    return module


class UnloadedMap(RevisionMap):
    """Alembic's graph of revisions that were not imported, built when Alembic asks for it."""

    def __init__(self, scripts: ScriptDirectory) -> None:
        super().__init__(self._scripts)
        self._directory = scripts

    @cached_property
    def files(self) -> tuple[Revision | Script, ...]:
        """Every revision on disk, in the order in which Alembic reads the files."""
        return tuple(read_files(self._directory))

    @property
    def placed(self) -> History | None:
        """The history, if the headers tell it without Alembic's graph."""
        read = [it for it in self.files if isinstance(it, Revision)]
        return place(read) if len(read) == len(self.files) else None

    def _scripts(self) -> list[Script]:
        return _consistent(
            [UnloadedScript(it) if isinstance(it, Revision) else it for it in self.files]
        )


def leave_unloaded(scripts: ScriptDirectory) -> None:
    """Have a directory read its revisions by their headers.

    A file whose header is not plain is imported, as Alembic does with every file. So the graph is
    always the one that Alembic would build.
    """
    scripts.revision_map = UnloadedMap(scripts)


def read_revisions(scripts: ScriptDirectory) -> History:
    """Return the history on disk. Raises what Alembic, or a file that it imports, raises."""
    graph = scripts.revision_map
    placed = graph.placed if isinstance(graph, UnloadedMap) else None
    return placed or History({it.revision: describe(it) for it in all_scripts(scripts)})


def load_revision(scripts: ScriptDirectory, revision: str) -> None:
    """Import a revision's file, and find what runs it. Raises HistoryBrokenError."""
    script = scripts.get_revision(revision)
    with reading(scripts):
        has_upgrade = callable(getattr(script.module, "upgrade", None))
    if not has_upgrade:
        raise broken(f"{Path(script.path).name} has no upgrade()")


def reading(scripts: ScriptDirectory) -> AbstractContextManager[None]:
    """Turn what revisions raise when they are imported into a failure.

    Raises ConfigurationError for a package that is missing, else HistoryBrokenError.
    """
    return failing_as(scripts, lambda error: broken(describe_error(error, scripts)))


def broken(problem: str) -> HistoryBrokenError:
    """Return the refusal of a history with this problem."""
    return HistoryBrokenError(
        f"The migration history is broken: {problem}.",
        "Fix it and start again; the database was not touched.",
    )


def describe(script: Script) -> Revision:
    """Return a revision as plain data."""
    depends_on = tuple(sorted(resolved_dependencies(script)))
    labels = tuple(sorted(script.branch_labels))
    if isinstance(script, UnloadedScript):
        read = script.read
        return Revision(*read[:3], depends_on, labels, read.phase, read.file, read.file_sha256)
    path = Path(script.path)
    return Revision(
        id=script.revision,
        parents=_names(script.down_revision),
        title=title(script.longdoc, script.revision),
        depends_on=depends_on,
        branch_labels=labels,
        phase=getattr(script.module, "phase", None),
        file=script.path,
        file_sha256=file_sha256(path.read_bytes()) if path.suffix == ".py" else None,
    )


def all_scripts(scripts: ScriptDirectory) -> list[Script]:
    """Return every revision, in any order; `walk_revisions()` takes as long again for its order."""
    found = scripts_by_name(scripts)
    # Labels lead to a revision as well, and None to nothing.
    return [it for name, it in found.items() if isinstance(it, Script) and it.revision == name]


def _consistent(found: list[Script]) -> list[Script]:
    """Return the revisions. Raises HistoryBrokenError if one is there twice, or a parent is not.

    Alembic only warns of both, and goes on to a KeyError.
    """
    known = {script.revision for script in found}
    if len(known) < len(found):
        raise _twice(found)
    known.update(label for script in found for label in script.branch_labels)
    for script in found:
        for name in (*_names(script.down_revision), *_names(script.dependencies)):
            if name not in known:
                where = Path(script.path).name
                if not name:
                    raise broken(
                        f"{where} refers to an empty revision id; the first revision has "
                        "`down_revision = None`"
                    )
                raise broken(f"Revision {name} referenced from {where} is not present")
    return found


def _twice(found: list[Script]) -> HistoryBrokenError:
    """Return the refusal of ids that are on disk twice. It names the files; Alembic does not."""
    files: defaultdict[str, list[str]] = defaultdict(list)
    for script in found:
        files[script.revision].append(script.path)
    listed = "; ".join(
        f"{id_} is in {' and in '.join(sorted(paths))}"
        for id_, paths in files.items()
        if len(paths) > 1
    )
    return HistoryBrokenError(
        f"The migration history is broken: the same id is there twice: {listed}.",
        "Keep the file that databases have applied. Give the other one another `revision`, write "
        "that as `down_revision` into the files that follow it, and start again; the database was "
        "not touched.",
    )


def _names(said: Any) -> tuple[str, ...]:
    return util.to_tuple(said, default=())


def _differences(module: ModuleType, read: Revision) -> list[str]:
    """Return the names by which a module has another place in the history than its file."""
    places = {
        "revision": (read.id,),
        "down_revision": read.parents,
        "depends_on": read.depends_on,
        "branch_labels": read.branch_labels,
    }
    return [name for name, it in places.items() if _names(getattr(module, name, None)) != it]
