"""Read the paths of somebody's Alembic configuration as they were meant."""

import os
from pathlib import Path

from alembic.config import Config


def anchor_paths(config: Config, folder: Path) -> None:
    """Make the relative paths of a configuration absolute: they start from its own folder.

    Alembic has them start from where it is run, which is that folder where people run it
    themselves; ours may have folders of the same names. Without its own word for what separates
    several, they are read as Alembic reads them.
    """
    location = config.get_alembic_option("script_location")
    if location and ":" not in location:  # `package:folder` is no path
        _set(config, "script_location", _anchored(location, folder))
    lists = {
        "version_locations": config.get_version_locations_list(),
        "prepend_sys_path": config.get_prepend_sys_paths_list(),
    }
    for name, paths in lists.items():
        if paths:
            _set(config, name, os.pathsep.join(_anchored(path, folder) for path in paths))
    if any(lists.values()):
        config.set_main_option("path_separator", "os")


def _set(config: Config, name: str, text: str) -> None:
    config.set_main_option(name, text.replace("%", "%%"))


def _anchored(path: str, folder: Path) -> str:
    return path if ":" in path else str(folder.absolute() / path)
