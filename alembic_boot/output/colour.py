"""Colour for the levels of the log, for a person at a terminal."""

from collections.abc import Mapping
from typing import Any

_CODES = {
    "DEBUG": "36",
    "INFO": "32",
    "WARNING": "33",
    "ERROR": "31",
    "CRITICAL": "91",
}
"""The colours of Uvicorn's own log: cyan, green, yellow, red and bright red."""


def is_wanted(stream: Any, environment: Mapping[str, str]) -> bool:
    """Return whether text on this stream has colours.

    A variable that is set to an empty text counts as unset. NO_COLOR wins over FORCE_COLOR, and
    FORCE_COLOR=0 turns colours off, as in other programs.
    """
    if environment.get("NO_COLOR"):
        return False
    if force := environment.get("FORCE_COLOR"):
        return force != "0"
    return environment.get("TERM") != "dumb" and bool(stream.isatty())


def coloured(line: str, level: str) -> str:
    """Return a line of the log with its first mention of the level in the level's colour."""
    code = _CODES.get(level)
    return line if code is None else line.replace(level, f"\x1b[{code}m{level}\x1b[0m", 1)
