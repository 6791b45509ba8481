"""Alembic's configuration, read as its own command line reads it."""

import configparser
from argparse import Namespace
from pathlib import Path

from alembic import command
from alembic.config import CommandLine, Config
from alembic.util.exc import CommandError

from alembic_boot.commands import setting
from alembic_boot.description import AlembicConfig
from alembic_boot.errors import ConfigurationError
from alembic_boot.named_files import is_there, unreadable
from alembic_boot.output.foreign import describe
from alembic_boot.output.masking import hide_argument

_INI, _TOML = "alembic.ini", "pyproject.toml"

_OF_LOGGING = ("logger", "handler", "formatter", "post_write_hooks")
"""The prefixes of sections of an alembic.ini that describe no project."""


def read_config(alembic: AlembicConfig) -> Config:
    """Return the configuration that `alembic -c FILE -n NAME -x ARGUMENT` works with.

    Alembic reads alembic.ini and pyproject.toml together. It gets the name of one, and looks for
    the other one beside it. Raises ConfigurationError.
    """
    ini, toml = _files(alembic)
    has_ini = is_there(ini)  # Alembic would take an unreadable file for an empty one
    config = Config(
        # As for a Config that an application makes: env.py finds a section, and no file to read.
        file_=ini if has_ini else None,
        toml_file=toml,
        ini_section=alembic.name,
        cmd_opts=options_to_upgrade(alembic),
    )
    try:
        sections = config.file_config.sections() if has_ini else []
    except (configparser.Error, ValueError) as error:  # ValueError: the encoding
        raise no_project(ini, error) from error
    try:
        of_toml = config.toml_alembic_config
    except OSError as error:
        raise unreadable(toml, error) from error
    except (CommandError, ValueError) as error:
        raise no_project(toml, error) from error
    others = [name for name in sections if not name.startswith(_OF_LOGGING)]
    # Without sections of another name, the lack of a script_location says more.
    is_needed = alembic.name != "alembic" or (others and not of_toml)
    if alembic.name not in sections and is_needed and not alembic.options:
        if not has_ini:
            raise ConfigurationError(
                f"There is no section [{alembic.name}], because there is no {ini}.",
                f"Unset {setting('NAME')}, or leave -n out: {toml.name} has no sections.",
            )
        raise ConfigurationError(
            f"{ini} has no section [{alembic.name}].",
            f"Set {setting('NAME')}, or -n, to one of its sections: {', '.join(others) or 'none'}.",
        )
    for name, value in alembic.options:
        config.set_main_option(name, value)
    return config


def options(alembic: AlembicConfig, *arguments: str) -> Namespace:
    """Return what Alembic's command line makes of a command; an env.py may ask for it."""
    return _with_own(CommandLine().parser.parse_args(arguments), alembic)


def options_to_upgrade(alembic: AlembicConfig) -> Namespace:
    """Return the options of `alembic --quiet upgrade head`.

    To have them parsed would take 9 ms a start. Without `--quiet`, Alembic prints what it writes
    beside what a task says about it.
    """
    of_upgrade = Namespace(
        raiseerr=False,
        quiet=True,
        sql=False,
        tag=None,
        revision="head",
        cmd=(command.upgrade, ["revision"], ["sql", "tag"]),
    )
    return _with_own(of_upgrade, alembic)


def _with_own(found: Namespace, alembic: AlembicConfig) -> Namespace:
    # Not by the parser, which would take an argument that begins with - for an option.
    found.config = [str(alembic.file)]
    found.name = alembic.name
    found.x = list(alembic.arguments) or None
    for argument in alembic.arguments:
        hide_argument(argument)
    return found


def no_project(file: Path, error: BaseException) -> ConfigurationError:
    """Return the refusal of a file that describes no project, for this reason."""
    cause = describe(error, [file.parent], plain=(CommandError, configparser.Error, ValueError))
    return ConfigurationError(
        f"{file} describes no Alembic project: {cause}.",
        "Fix it; script_location names the folder with env.py.",
    )


def _files(alembic: AlembicConfig) -> tuple[Path, Path]:
    """Return the alembic.ini and the pyproject.toml of a project, by the name of either."""
    file = alembic.file
    if not is_there(file) and not alembic.options:
        raise ConfigurationError(
            f"{file} does not exist.",
            "Set ALEMBIC_CONFIG, or -c, to the file of the project, or run this where alembic.ini "
            "is, or a pyproject.toml with [tool.alembic].",
        )
    file = file.absolute()
    if file.name == _TOML:
        return file.with_name(_INI), file
    return file, file.with_name(_TOML)
