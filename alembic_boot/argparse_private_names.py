"""The private name of argparse that is used here, as Python 3.11 to 3.13 have it."""

from argparse import Action, ArgumentParser
from collections.abc import Mapping


def flags(parser: ArgumentParser) -> list[Action]:
    """Return the arguments: argparse has no public list."""
    return parser._actions


def commands(parser: ArgumentParser) -> Mapping[str, ArgumentParser]:
    """Return the parsers of the commands, by name."""
    [found] = [it.choices for it in parser._actions if isinstance(it.choices, dict)]
    return found
