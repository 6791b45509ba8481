"""One stack: its name, its folder and what its Compose files say."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from backend.boot.errors import ConfigurationError
from backend.stack.compose.model import ComposeFile, Service

DEFAULT_FILE = "docker-compose.yml"
OVERRIDE_FILE = "docker-compose.override.yml"


@dataclass(frozen=True)
class Place:
    """Where a stack is, and what it is called: all that one needs to find what runs of it."""

    name: str
    folder: Path
    """Absolute."""


@dataclass(frozen=True)
class Project:
    """A stack as its files describe it."""

    place: Place
    files: tuple[Path, ...]
    """Absolute."""
    content: ComposeFile = field(repr=False)
    """Has the values of variables in it, and so perhaps secrets."""

    @property
    def name(self) -> str:
        """What the stack is called."""
        return self.place.name

    @property
    def services(self) -> Mapping[str, Service]:
        """The services by their names."""
        return self.content.services

    def image_of(self, service: str) -> str:
        """Return the name of a service's image: its own, or Compose's for one that is built."""
        return self.services[service].image or f"{self.name}-{service}"


def read_variables(folder: Path, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment over what `.env` in the folder says, as Compose reads both.

    Raises ConfigurationError.
    """
    from dotenv import dotenv_values

    given = dict(os.environ if environ is None else environ)
    path = folder / ".env"
    try:
        values = dotenv_values(path) if path.is_file() else {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f".env cannot be read: {error}.", "Mend or remove it.") from error
    return {**{name: text for name, text in values.items() if text is not None}, **given}


def find_stack(folder: Path, variables: Mapping[str, str]) -> tuple[Place, tuple[Path, ...]]:
    """Return the stack that Compose would find from a folder, and the paths of its files.

    The files are those of COMPOSE_FILE, else docker-compose.yml and its override, if any; the
    stack's folder is the first file's, and its name COMPOSE_PROJECT_NAME, else the folder's.
    Raises ConfigurationError where that leaves no name.
    """
    files = [Path(os.path.abspath(folder / name)) for name in _file_names(folder, variables)]  # noqa: PTH100 (`resolve` would follow links)
    home = files[0].parent
    given = variables.get("COMPOSE_PROJECT_NAME") or home.name
    name = re.sub(r"[^-_a-z0-9]", "", given.lower()).lstrip("_-")
    if not name:
        raise ConfigurationError(
            f"{given!r} gives no name for the stack.",
            "Set COMPOSE_PROJECT_NAME to lower-case letters and digits.",
        )
    return Place(name, home), tuple(files)


def _file_names(folder: Path, variables: Mapping[str, str]) -> list[str]:
    given = variables.get("COMPOSE_FILE", "")
    separator = variables.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
    if names := [name for name in given.split(separator) if name]:
        return names
    has_override = (folder / OVERRIDE_FILE).is_file()
    return [DEFAULT_FILE, OVERRIDE_FILE] if has_override else [DEFAULT_FILE]
