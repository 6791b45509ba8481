"""Open somebody's Alembic project, with its whole history read."""

import configparser
import re
import warnings
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError

from backend.boot.commands import as_typed
from backend.boot.environment.anchoring import anchor_paths
from backend.boot.environment.duplicates import refuse_ids_that_are_twice
from backend.boot.environment.failures import describe_error
from backend.boot.environment.project import Project
from backend.boot.environment.scripts import all_scripts, broken, describe, leave_unloaded
from backend.boot.errors import BootError, ConfigurationError, HistoryBrokenError
from backend.boot.postgres.urls import DatabaseUrl
from backend.boot.revisions.history import History
from backend.boot.signals import Stopped

RUN_BY_BOOT = "run_by_boot"
"""The attribute of Alembic's configuration by which an env.py knows who runs it."""

_WORDS = frozenset({"head", "heads"})
"""What means other revisions to Alembic."""

_NOT_STORED = re.compile(r"['\0]")
"""What Alembic does not escape when it writes the version table."""

_BROKEN = re.compile(r"present more than once|is not present")


def open_project(
    alembic_config: Path,
    url: DatabaseUrl | None,
    *,
    may_be_empty: bool = False,
) -> Project:
    """Return the project that a configuration file describes, its whole history read.

    `url` may be None if no database is to be reached. The file is `alembic.ini`, or a
    `pyproject.toml` with Alembic's table. No revision is imported if its header can be read. Raises
    ConfigurationError for the file and HistoryBrokenError for what it leads to.
    """
    config = _config(alembic_config)
    config.attributes[RUN_BY_BOOT] = True
    try:
        anchor_paths(config, alembic_config.parent)
        scripts = ScriptDirectory.from_config(config)
    except (CommandError, configparser.Error, ValueError) as error:  # ValueError: TOML, encoding
        cause = str(error).partition("\n")[0].rstrip(".")
        raise ConfigurationError(
            f"{alembic_config} describes no Alembic project: {cause}.",
            "Mend it; script_location names the folder with env.py.",
        ) from error
    leave_unloaded(scripts)
    history = read_history(scripts)
    if not history.revisions and not may_be_empty:
        folders = ", ".join(str(folder) for folder in scripts._version_locations)
        raise HistoryBrokenError(
            f"There are no revisions in {folders}.",
            "Check that the folder was shipped, or write the first with "
            f"`{as_typed('inv revision --message first')}`.",
        )
    return Project(config, scripts, history, url)


def _config(path: Path) -> Config:
    if not path.is_file():
        raise ConfigurationError(
            f"{path} does not exist.", "Set ALEMBIC_CONFIG, or run this where alembic.ini is."
        )
    return Config(toml_file=str(path)) if path.suffix == ".toml" else Config(str(path))


def read_history(scripts: ScriptDirectory) -> History:
    """Return the whole history on disk. Raises HistoryBrokenError."""
    try:
        # Alembic only warns of a missing parent or a duplicate, and goes on to a KeyError.
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            revisions = {script.revision: describe(script) for script in all_scripts(scripts)}
    except (BootError, Stopped):
        raise
    except (Exception, SystemExit) as error:
        problem = _broken_by_warning(caught)
        if problem:
            refuse_ids_that_are_twice(scripts)
        raise broken(problem or describe_error(error, scripts)) from error
    if problem := _broken_by_warning(caught):
        refuse_ids_that_are_twice(scripts)
        raise broken(problem)
    for id_, revision in revisions.items():
        if not id_ or id_ in _WORDS or _NOT_STORED.search(id_):
            file = revision.path.name if revision.path else "a file"
            raise broken(f"the id {id_!r} in {file} is none that Alembic can record")
    return History(revisions)


def _broken_by_warning(caught: list[warnings.WarningMessage] | None) -> str | None:
    messages = [str(warning.message) for warning in caught or ()]
    return next((text.rstrip(".") for text in messages if _BROKEN.search(text)), None)
