"""Open an Alembic project, and read its whole history."""

import os
import re
import sys
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from alembic_boot.commands import alembic_as_typed
from alembic_boot.description import AlembicConfig
from alembic_boot.environment.changes import CHANGES_NOTHING
from alembic_boot.environment.command_line import no_project, read_config
from alembic_boot.environment.project import Project
from alembic_boot.environment.scripts import broken, leave_unloaded, read_revisions, reading
from alembic_boot.environment.working import working_in
from alembic_boot.errors import HistoryBrokenError
from alembic_boot.history.history import History
from alembic_boot.output.foreign import missing_package
from alembic_boot.postgres.urls import DatabaseUrl
from alembic_boot.private_names import version_locations
from alembic_boot.signals import Stopped

RUN_BY_BOOT = "run_by_boot"
"""The attribute of Alembic's configuration that tells an env.py that boot runs it."""

_WORDS = frozenset({"head", "heads", "base"})
"""The characters with which Alembic denotes relative revisions."""

_NOT_STORED = re.compile(r"['\0]")
"""Characters that Alembic does not escape when it writes the version table."""


def open_project(
    alembic: AlembicConfig,
    url: DatabaseUrl | None,
    *,
    may_be_empty: bool = False,
    changes_nothing: bool = False,
) -> Project:
    """Return the project that a configuration describes, its whole history read.

    `url` may be None if no database is to be reached. Relative paths start from the working
    folder, where people run Alembic. With `changes_nothing`, env.py is refused what it would
    change. No revision is imported if its header can be read. Raises
    ConfigurationError for the configuration and HistoryBrokenError for what it leads to.
    """
    config = read_config(alembic)
    config.attributes[RUN_BY_BOOT] = True
    if changes_nothing:
        config.attributes[CHANGES_NOTHING] = True
    folder = alembic.folder
    try:
        scripts = _open_scripts(config, folder)
    except Stopped:
        raise
    except BaseException as error:  # `script_location = package:folder` imports the package
        raise missing_package(error) or no_project(alembic.file, error) from error
    leave_unloaded(scripts)
    with working_in(folder):
        history = read_history(scripts)
    if not history.revisions and not may_be_empty:
        folders = ", ".join(str(folder) for folder in version_locations(scripts))
        raise HistoryBrokenError(
            f"There are no revisions in {folders}.",
            "Check that the folder was shipped, or write the first with "
            f"`{alembic_as_typed('revision -m first', alembic.name)}`.",
        )
    return Project(config, scripts, history, url, folder)


def _open_scripts(config: Config, folder: Path) -> ScriptDirectory:
    """Return Alembic's own configuration of a project whose paths start from a folder.

    The paths stay the same when the process works elsewhere. Raises what Alembic raises.
    """
    with working_in(folder):
        before = sys.path[:]
        scripts = ScriptDirectory.from_config(config)
        scripts.dir = os.path.abspath(scripts.dir)  # noqa: PTH100 (Alembic has it as text)
        version_locations(scripts)  # made absolute here, and kept
        added = sys.path[: len(sys.path) - len(before)]
        absolute = [os.path.abspath(it) for it in added]  # noqa: PTH100 (resolves no links)
        again = before[: len(absolute)] == absolute
        sys.path[:] = before if again else [*absolute, *before]
    return scripts


def read_history(scripts: ScriptDirectory) -> History:
    """Return the whole history on disk. Raises HistoryBrokenError."""
    with reading(scripts):
        history = read_revisions(scripts)
    for id_, revision in history.revisions.items():
        if not id_ or id_ in _WORDS or _NOT_STORED.search(id_):
            file = revision.path.name if revision.path else "a file"
            raise broken(f"the id {id_!r} in {file} is none that Alembic can record")
    return history
