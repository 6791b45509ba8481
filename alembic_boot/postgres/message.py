"""Shorten libpq's message about a failed login, for people to read.

libpq's own words are the same everywhere while the process has the locale C for messages, as Python
does. A server's message may be in any language, and may have several lines.
"""

import re

STANDBY = "it is a standby, and this needs the primary"

# Of several hosts libpq itself looks for the primary, and reports a standby in these words.
_NO_PRIMARY = re.compile(r"server is in hot standby mode|session is read-only")

_AT = re.compile(r'connection to server at "([^"]*)"(?: \([^)]*\))?, port (\d+) failed: (.*)')

_BEGINNING = re.compile(r"connection to server |could not translate host name ")
"""libpq's own beginnings of a host's error."""
_SERVERS = re.compile(r":  ")
"""libpq's separator between a server's severity and its message, which may have several lines."""
_FIELD = re.compile(r"LINE \d+: |[A-Z][A-Z ]*:  ")
"""libpq's prefix of a server's details, hint and so on, which may have several lines, too."""
_EXPLANATION = re.compile(r"\s|password retrieved from file|Either provide|$")
"""Explanations of libpq's own."""


def causes(message: str) -> list[str]:
    """Return the causes in an error's text, one line per host, without explanations."""
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
    """Return the reason, from a line that also names the host."""
    return _NO_PRIMARY.sub(STANDBY, line.partition(" failed: ")[2] or line).rstrip(".")


def at_host(line: str) -> str:
    """Return the host in few words, if the line names it, and the reason."""
    found = _AT.fullmatch(line)
    return f"{found[1]}:{found[2]}: {reason(line)}" if found else reason(line)
