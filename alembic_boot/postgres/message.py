"""Shorten what libpq says of a failed login, for people to read.

libpq's own words are the same everywhere as long as the process keeps the locale C for messages,
as Python does. A server's sentence may be in any language, and may have several lines.
"""

import re

STANDBY = "it is a standby, and this needs the primary"

# Of several hosts libpq looks itself which one is the primary, and says so in these words.
_NO_PRIMARY = re.compile(r"server is in hot standby mode|session is read-only")

_AT = re.compile(r'connection to server at "([^"]*)"(?: \([^)]*\))?, port (\d+) failed: (.*)')

_BEGINNING = re.compile(r"connection to server |could not translate host name ")
"""Of libpq's own: what it begins the error of a host with."""
_SERVERS = re.compile(r":  ")
"""What libpq has between a server's severity and its sentence, which may have several lines."""
_FIELD = re.compile(r"LINE \d+: |[A-Z][A-Z ]*:  ")
"""What libpq has before the details, the hint and the like of a server, of several lines, too."""
_EXPLANATION = re.compile(r"\s|password retrieved from file|Either provide|$")
"""Of libpq's own."""


def causes(message: str) -> list[str]:
    """Return what happened from an error's text, a line for each host, without explanations."""
    found: list[str] = []
    is_in_sentence = is_in_field = False
    for line in message.splitlines():
        if found and _FIELD.match(line):
            is_in_sentence, is_in_field = False, True
        elif _BEGINNING.match(line) or not (is_in_sentence or is_in_field):
            if not _EXPLANATION.match(line):
                found.append(line.strip())
                is_in_sentence, is_in_field = bool(_SERVERS.search(line)), False
        elif is_in_sentence:
            found[-1] = f"{found[-1]} {line.strip()}".rstrip()
    return found


def reason(line: str) -> str:
    """Return why, from a line that says where it was as well."""
    return _NO_PRIMARY.sub(STANDBY, line.partition(" failed: ")[2] or line).rstrip(".")


def at_host(line: str) -> str:
    """Return in few words where it was, as far as the line says it, and why."""
    found = _AT.fullmatch(line)
    return f"{found[1]}:{found[2]}: {reason(line)}" if found else reason(line)
