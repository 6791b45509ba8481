"""Tell a temporary refusal from a permanent one by the answer of server, pooler or libpq.

The codes decide, not the words: a server's message may be in any language.
"""

import re
from enum import Enum

from alembic_boot.postgres.answer import Answer


class Refusal(Enum):
    """The consequence of a failed login for a waiting process."""

    NOT_YET = "not yet"
    LOGIN = "login refused"
    DATABASE_MISSING = "database missing"
    BY_POOLER = "refused for whatever a pooler has but one code for"


# By the first characters of the SQLSTATE. All others may pass: a server that starts or stops
# (57P03), too many connections (53300), a database that accepts none for now (55000).
_MEANINGS: dict[str, Refusal] = {
    "3D000": Refusal.DATABASE_MISSING,
    "28": Refusal.LOGIN,  # the role, its password, pg_hba.conf, a certificate
    "42": Refusal.LOGIN,  # no right to connect, no such setting among the options
    "22": Refusal.LOGIN,  # a setting with a wrong value
    "0A": Refusal.LOGIN,  # something that this server does not have
}

# PgBouncer has one code for all of its own refusals, and for those that it passes on from a server.
# Its own messages are the same everywhere, because PgBouncer is not translated.
_POOLERS = "08P01"
_POOLER_REFUSES = re.compile(
    r"no such user(: .*)?|auth failed|(\S+ )?authentication failed|(SSL|TLS \w+( \w+)?) required"
    r"|not allowed"
)
_POOLER_KNOWS_NO_DATABASE = re.compile(r"no such database(: .*)?")


def meaning(answer: Answer) -> Refusal:
    """Return the meaning of an answer; for an unknown answer, waiting may help."""
    if not answer.code:
        return Refusal.LOGIN if answer.libpq_gave_up else Refusal.NOT_YET
    if answer.code == _POOLERS:
        return _poolers_meaning(answer.sentence)
    for code, refusal in _MEANINGS.items():
        if answer.code.startswith(code):
            return refusal
    return Refusal.NOT_YET


def is_poolers(answer: Answer) -> bool:
    """Return whether a pooler gave the answer."""
    return answer.code == _POOLERS


def _poolers_meaning(sentence: str) -> Refusal:
    if _POOLER_REFUSES.fullmatch(sentence):
        return Refusal.LOGIN
    if _POOLER_KNOWS_NO_DATABASE.fullmatch(sentence):
        return Refusal.DATABASE_MISSING
    return Refusal.BY_POOLER
