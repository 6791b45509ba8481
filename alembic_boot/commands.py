"""The names in advice: commands and settings, as the program has them that a person started."""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

OUTSIDE = "INV_OUTSIDE"
"""The variable in which `inv TASK --in SERVICE` passes its own command line to the task inside."""

WITH_IN = frozenset({"adopt", "migrate", "rollback", "seed", "stamp", "status"})
"""The tasks that have `--in`."""

PREFIX = "ALEMBIC_BOOT_"
"""The beginning of the names of alembic-boot's own variables."""


@dataclass(frozen=True)
class Program:
    """A program that people type, and its names for what this package does."""

    name: str = "alembic-boot"
    options: tuple[str, ...] = ()
    """What was typed before the command, such as `-c other.ini`."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """The name of a setting, if it is not ALEMBIC_BOOT_ and the setting."""
    creating: str = f"{PREFIX}CREATE_DATABASE=true creates it"
    """How a missing database is created, as a clause; each {migrate} or {start} is a command."""
    without_seed: str = f"unset {PREFIX}SEED"
    """How to seed nothing, as a clause."""
    check_all: str = "check --all"
    """The command that checks every revision."""

    def setting(self, name: str) -> str:
        """Return the variable of a setting such as `TARGET`."""
        return self.settings.get(name, PREFIX + name)


_program = Program()


def use(program: Program) -> None:
    """Have the advice of this process name what this program has."""
    global _program  # noqa: PLW0603 (a process is started as one program)
    _program = program


def program() -> Program:
    """Return the program whose names are used."""
    return _program


def setting(name: str) -> str:
    """Return the variable of a setting such as `TARGET`."""
    return _program.setting(name)


def as_typed(command: str, *, is_public: bool = False) -> str:
    """Return a command such as `adopt` as it works in the shell that started this process.

    The program is the one of this environment: by its name if PATH leads to it (as in the image, or
    in an activated `.venv`), else by its path. A public text has none of the options, which may
    name files.
    """
    outside = os.environ.get(OUTSIDE)
    if outside and command.split(" ", maxsplit=1)[0] in WITH_IN:
        return outside.replace("{}", command)
    options = () if is_public else map(shlex.quote, _program.options)
    return " ".join([_path(_program.name), *options, command]).rstrip()


def alembic_as_typed(command: str, section: str) -> str:
    """Return a command of Alembic for a section of alembic.ini, with the options that were typed.

    Alembic writes a revision even if env.py has no target_metadata yet.
    """
    options = _program.options
    if section != "alembic" and "-n" not in options:
        options = (*options, "-n", section)
    return " ".join([_path("alembic"), *map(shlex.quote, options), command])


def creating() -> str:
    """Return how a missing database is created, as a clause."""
    return _program.creating.format(
        migrate=f"`{as_typed('migrate')}`", start=f"`{as_typed('start')}`"
    )


def _path(name: str) -> str:
    program = Path(sys.executable).parent / name
    found = shutil.which(name)
    if not program.exists() or (found is not None and program.samefile(found)):
        return name
    # The tasks run in the project's folder, which may differ from the shell's.
    is_here = os.environ.get("PWD") == str(Path.cwd())
    if is_here and program.is_relative_to(Path.cwd()):
        program = program.relative_to(Path.cwd())
    return shlex.quote(str(program))
