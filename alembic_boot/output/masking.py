"""Mask passwords in every text for people or logs."""

import json
import re
from urllib.parse import quote, quote_plus

# The password part of a URL, up to the last @ before the host ends; but not the placeholder in a
# sentence that explains a URL. A match starts where a word starts: otherwise each letter of a long
# word would be tried, and the time would grow with the square of its length.
_URL_PASSWORD = re.compile(
    r"(?P<head>(?<![\w+.-])[+.-]*\w[\w+.-]*://[^:/?#\s@]*:)(?!password@host:5432/)[^/?#\s]*(?=@)"
)
# A value behind PASSWORD, in SQL and in libpq's keywords. It may stand in another string, of SQL or
# of Python, with its quotes doubled or escaped; or in the second of two strings that Python joins.
# A string without an end goes on to the end: the text may have been cut. A rest that is attached
# to a value behind an equals sign goes with it. `***` is a value: a masked text stays as it is.
_PASSWORD_VALUE = re.compile(
    r"""
    (?P<head>
        password (?: (?P<equals> \s*=\s* ) | \s+to\s+ | \s+ | (?<!['"\\]password) (?=['$]) )
      | set_config \s* \( \s* [\\'"]{1,8} [\w.]{0,60}? password [\w.]{0,60} [\\'"]{1,8} \s*,\s*
    )
    (?: ["']\s+["'] )?
    (?: e | u& )?
    (?: (?:
        '' (?!') (?: [^'] | '{4} )*+ ''
      | (?P<quotes> '{3,8} | \\{1,4}['"] ) (?!['"]) [^'"\\]* (?P=quotes)
      | (?P<dollars> \$ \w{0,63} \$ ) [^$]* (?P=dollars)
      | ' (?: [^'\\] | \\. | '' )*+ (?: ' | \\?\Z )
      | " (?: [^"\\] | \\. | "" )*+ (?: " | \\?\Z )
      | (?: \\+['"] | \$\w{0,63}\$ ) \S*
      ) (?(equals) [^\s&,;)\]}'"]* )
    | \*{3} (?= [\s&,;)\]}'"] | \Z )
    | (?(equals) [^\s&]+ | (?!) )
    )
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)

_QUOTED_PASSWORD = re.compile(
    r"""(?P<head>['"](?:ssl)?password['"]\s*:\s*)('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
)

_SECRET_NAME = re.compile(
    r"passw|pwd|secret|token|credential|(api|access|private)[_-]?key", re.IGNORECASE
)
"""The names of arguments whose values look secret."""

# Shorter ones would mask half of every line; the patterns above still catch them.
_SHORTEST_SECRET = 4

_OF_SENTENCES = frozenset(
    {
        *("admin", "alembic", "application", "backend", "base", "boot", "connection", "database"),
        *("docker", "driver", "head", "host", "localhost", "login", "migration", "migrations"),
        *("password", "port", "postgres", "postgresql", "ready", "revision", "role", "root"),
        *("schema", "server", "service", "session", "start", "state", "table", "tables", "test"),
        *("upgrade", "user", "users", "uvicorn", "waiting"),
    }
)
"""Words that the log is made of.

As passwords they are among the first guesses. If they were masked everywhere, the log would be
unreadable.
"""

_secrets: set[str] = set()


def hide(secret: str | None) -> None:
    """Make `mask` replace this text, raw or percent-encoded, wherever it occurs.

    A common word of the log is masked only in the place of a password.
    """
    is_word = secret is not None and secret.lower() in _OF_SENTENCES
    if secret and len(secret) >= _SHORTEST_SECRET and not is_word:
        # As it is, as in URLs, and as Python and JSON quote it.
        _secrets.update({secret, quote(secret, safe=""), quote_plus(secret)})
        _secrets.update({repr(secret)[1:-1], ascii(secret)[1:-1], json.dumps(secret)[1:-1]})


def hide_argument(argument: str) -> str:
    """Make `mask` replace the value of an `alembic -x` argument if its name says that it is secret.

    Return the argument as advice may repeat it.
    """
    name, _, secret = argument.partition("=")
    if secret and _SECRET_NAME.search(name):
        hide(secret)
        return f"{name}=***"
    return mask(argument)


def hidden() -> frozenset[str]:
    """Return the texts that `mask` replaces, for a child process that must do the same."""
    return frozenset(_secrets)


def hide_all(secrets: frozenset[str]) -> None:
    """Make `mask` replace the same texts as in the process that started this one."""
    _secrets.update(secrets)


def mask(text: str) -> str:
    """Return the text with every password in it replaced by `***`."""
    text = _URL_PASSWORD.sub(r"\g<head>***", text)
    # Strings in strings may show a value only when the one before it is masked.
    while (masked := _PASSWORD_VALUE.sub(r"\g<head>***", text)) != text:
        text = masked
    text = _QUOTED_PASSWORD.sub(r'\g<head>"***"', text)
    for secret in sorted(_secrets, key=len, reverse=True):
        # Only a whole word: the password "moriai" must not mask the role "moriai_user".
        text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", text)
    return text
