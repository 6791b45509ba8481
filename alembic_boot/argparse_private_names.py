"""The private name of argparse that is used here, as Python 3.11 to 3.13 have it."""

from argparse import ArgumentParser
from collections.abc import Mapping


def helps(parser: ArgumentParser) -> dict[str, str]:
    """Return the help of each argument, by the name of its value: argparse has no public list."""
    return {it.dest: it.help for it in parser._actions if it.help}


def commands(parser: ArgumentParser) -> Mapping[str, ArgumentParser]:
    """Return the parsers of the commands, by name."""
    [found] = [it.choices for it in parser._actions if isinstance(it.choices, dict)]
    return found
