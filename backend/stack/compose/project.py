"""One stack: its name, its folder and the content of its Compose files."""

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from alembic_boot.errors import ConfigurationError
from backend.stack.compose.dotenv import DotenvError, parse_dotenv
from backend.stack.compose.model import ComposeFile, Service

logger = logging.getLogger(__name__)

_FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_OVERRIDES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
"""The names that Compose looks for, in its order."""


@dataclass(frozen=True)
class Place:
    """The folder and the name of a stack: enough to find its containers."""

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
    """May contain secrets, because variables are filled in."""
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The variables that were filled in; env_file may refer to these, too."""

    @property
    def name(self) -> str:
        """Return the name of the stack."""
        return self.place.name

    @property
    def services(self) -> Mapping[str, Service]:
        """Return the services by their names."""
        return self.content.services

    def image_of(self, service: str) -> str:
        """Return the name of a service's image: its own, or Compose's default for a built image."""
        return self.services[service].image or f"{self.name}-{service}"


def read_variables(folder: Path, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment and, with lower priority, `.env` in the folder, as Compose does.

    COMPOSE_ENV_FILES names other files instead; with COMPOSE_DISABLE_ENV_FILE no file is read.
    Raises ConfigurationError.
    """
    given = dict(os.environ if environ is None else environ)
    if given.get("COMPOSE_DISABLE_ENV_FILE", "").lower() in ("1", "true", "t"):
        return given
    named = [folder / name for name in given.get("COMPOSE_ENV_FILES", "").split(",") if name]
    found: dict[str, str] = {}
    for path in named or [folder / ".env"]:
        found |= read_env_file(path, {**found, **given}, is_required=bool(named))
    return {**found, **given}


def read_env_file(path: Path, variables: Mapping[str, str], *, is_required: bool) -> dict[str, str]:
    """Return the variables of a file like `.env`; none if an optional file is absent.

    `variables` are those that it may refer to. Raises ConfigurationError.
    """
    unset: set[str] = set()
    try:
        if not is_required and not path.is_file():
            return {}
        found = parse_dotenv(path.read_text(encoding="utf-8"), variables, unset.add)
    except DotenvError as error:
        raise ConfigurationError(f"{path.name}, {error}.", "Correct it.") from error
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"{path} does not exist.", "Create it, or name another file."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{path.name} cannot be read: {error}.", "Correct its rights or its text, or remove it."
        ) from error
    for name in sorted(unset):
        logger.warning("%s is not set; %s gets an empty text for it", name, path.name)
    return found


def find_stack(folder: Path, variables: Mapping[str, str]) -> tuple[Place, tuple[Path, ...]]:
    """Return the stack that Compose would find from a folder, and the paths of its files.

    The files are those of COMPOSE_FILE, else docker-compose.yml (or another name that Compose looks
    for) and its override, if any. The stack's folder is the first file's. Its name is
    COMPOSE_PROJECT_NAME, else the folder's name. Raises ConfigurationError if the name would be
    empty.
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
    first = _first_of(folder, _FILES) or "docker-compose.yml"
    override = _first_of(folder, _OVERRIDES)
    return [first, override] if override else [first]


def _first_of(folder: Path, names: tuple[str, ...]) -> str | None:
    there = [name for name in names if (folder / name).is_file()]
    if there[1:]:
        logger.warning("Reading %s, and not %s", there[0], ", ".join(there[1:]))
    return there[0] if there else None
