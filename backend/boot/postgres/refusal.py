"""Tell *not yet* from *never* in what a server, a pooler or libpq says to a login.

Only the text can tell: psycopg2 gives no SQLSTATE for errors while connecting. The texts are
those of PostgreSQL's sources (postmaster.c, auth.c, postinit.c, proc.c; libpq's fe-connect.c and
fe-secure*.c) and of PgBouncer's.
"""

import re
from enum import Enum


class Refusal(Enum):
    """What a failed login means for whoever waits."""

    NOT_YET = "not yet"
    LOGIN = "login refused"
    DATABASE_MISSING = "database missing"


# First match wins, so what may pass stands before what never does.
_MEANINGS: tuple[tuple[str, Refusal], ...] = (
    (r"the database system is|not accepting connections|recovery is in progress", Refusal.NOT_YET),
    (r"too many (clients|connections)|connection slots are reserved", Refusal.NOT_YET),
    (r"cannot connect to server|server_login_retry|query_wait_timeout", Refusal.NOT_YET),
    (r'database ".*" does not exist|no such database', Refusal.DATABASE_MISSING),
    (r"authentication failed|no password supplied|auth failed|no such user", Refusal.LOGIN),
    (r'role ".*" (does not exist|is not permitted to log in)', Refusal.LOGIN),
    (r"no pg_hba\.conf entry|pg_hba\.conf rejects connection", Refusal.LOGIN),
    (r"permission denied for database", Refusal.LOGIN),
    (r"is not currently accepting connections", Refusal.NOT_YET),
    (r"server does not support SSL|SSL (is )?required", Refusal.LOGIN),
    (r"certificate verify failed|root certificate file|server certificate for", Refusal.LOGIN),
    (r"could not load (client )?(certificate|private key)|certificate file", Refusal.LOGIN),
    (r"private key file|requires a valid client certificate", Refusal.LOGIN),
    (r"authentication method (requirement|\d+ not supported)", Refusal.LOGIN),
    (r"channel binding (is )?required", Refusal.LOGIN),
    (r"unsupported startup parameter", Refusal.LOGIN),
    (r"invalid (sslmode|channel_binding|connection option)|could not open service", Refusal.LOGIN),
    (r'invalid .* for connection option|definition of service "[^"]*" not found', Refusal.LOGIN),
)

STANDBY = "it is a standby, and this needs the primary"

# Of several hosts libpq looks itself which one is the primary, and says so in these words.
_NO_PRIMARY = re.compile(r"server is in hot standby mode|session is read-only")

_AT = re.compile(r'connection to server at "([^"]*)"(?: \([^)]*\))?, port (\d+) failed: (.*)')

_EXPLANATION = re.compile(
    r"\s|(DETAIL|HINT|LINE|CONTEXT)\b|password retrieved from file|Either provide|$"
)


def classify(message: str) -> Refusal:
    """Return what the message of a failed login means; one that nobody knows means *not yet*.

    libpq gives a line for each address that it tried, and ends at the first server that refuses
    the login for good: the last line is the one that counts.
    """
    lines = causes(message)
    return _classify_line(lines[-1]) if lines else Refusal.NOT_YET


def causes(message: str) -> list[str]:
    """Return the lines of an error that say what happened, without those that explain it."""
    return [line.strip() for line in message.splitlines() if not _EXPLANATION.match(line)]


def reason(line: str) -> str:
    """Return why, from a line that says where it was as well."""
    return _NO_PRIMARY.sub(STANDBY, line.partition(" failed: ")[2] or line).rstrip(".")


def at_host(line: str) -> str:
    """Return in few words where it was, as far as the line says it, and why."""
    found = _AT.fullmatch(line)
    return f"{found[1]}:{found[2]}: {reason(line)}" if found else reason(line)


def _classify_line(line: str) -> Refusal:
    for pattern, refusal in _MEANINGS:
        if re.search(pattern, line, re.I):
            return refusal
    return Refusal.NOT_YET
