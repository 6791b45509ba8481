"""Keep passwords out of whatever a person or a log reads."""

import json
import re
from urllib.parse import quote, quote_plus

# The password part of a URL, up to the last @ before the host ends; not the word that stands for
# one where a sentence says how to write a URL.
_URL_PASSWORD = re.compile(
    r"(?P<head>\w[\w+.-]*://[^:/?#\s@]*:)(?!password@host:5432/)[^/?#\s]*(?=@)"
)
_KEYWORD_PASSWORD = re.compile(
    r"(?P<head>\b(?:ssl)?password\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&]+)", re.I
)

_QUOTED_PASSWORD = re.compile(
    r"""(?P<head>['"](?:ssl)?password['"]\s*:\s*)('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
)

# Shorter ones would blank out half of every line; the patterns above still catch them.
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
"""Words that the log is made of. As a password each is the first that anybody tries; blanked out
wherever it stands, it would only make the log unreadable."""

_secrets: set[str] = set()


def hide(secret: str | None) -> None:
    """Have `mask` blank out this text, raw or percent-encoded, wherever it stands.

    A word that the log is made of is blanked out only at the place of a password.
    """
    is_word = secret is not None and secret.lower() in _OF_SENTENCES
    if secret and len(secret) >= _SHORTEST_SECRET and not is_word:
        # As it is, as URLs have it, and as Python and JSON quote it.
        _secrets.update({secret, quote(secret, safe=""), quote_plus(secret)})
        _secrets.update({repr(secret)[1:-1], ascii(secret)[1:-1], json.dumps(secret)[1:-1]})


def hidden() -> frozenset[str]:
    """Return what `mask` blanks out, for a process that is started to do the same."""
    return frozenset(_secrets)


def hide_all(secrets: frozenset[str]) -> None:
    """Have `mask` blank out what it does in the process that has started this one."""
    _secrets.update(secrets)


def mask(text: str) -> str:
    """Return the text with every password in it replaced by `***`."""
    text = _URL_PASSWORD.sub(r"\g<head>***", text)
    text = _KEYWORD_PASSWORD.sub(r"\g<head>***", text)
    text = _QUOTED_PASSWORD.sub(r'\g<head>"***"', text)
    for secret in sorted(_secrets, key=len, reverse=True):
        # A whole word only: the password "moriai" must not blank out the role "moriai_user".
        text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", text)
    return text
