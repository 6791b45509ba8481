"""Passwords: only Argon2id hashes are stored, and passwords that are easy to guess are refused."""

from threading import Lock

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from backend.services.errors import UnfitPasswordError

# OWASP's minimum: 19 MiB, two passes, one lane. The library's default takes 64 MiB per hash.
_hashes = PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1),))

# The hash of a random text that was thrown away; it belongs to no account.
NOBODYS_HASH = (
    "$argon2id$v=19$m=19456,t=2,p=1$+J92aza1SJqB4yQJZqb85A$"
    "BJWEVg+nXgEAt6o7bmj3NpRGeq8Sd49bzdekT4fVQ0U"
)

_JUDGED = 16
"""Number of characters that zxcvbn looks at: enough for two common words in a row.

The time doubles with every few more characters, because zxcvbn tries each way to read signs such as
`|` and `{` as letters. The worst password found takes 0.09 s of a core; with 20 characters it takes
0.25 s.
"""

_LEAST_SCORE = 2
"""zxcvbn's score for more than a million guesses; the limit of attempts allows fewer."""

# zxcvbn keeps data of the current password in a variable of its module.
_one_at_a_time = Lock()


def require_fit(password: str, email: str, field: str) -> None:
    """Raise UnfitPasswordError with the name of the body's field if a password is easy to guess."""
    local = email.partition("@")[0]
    if password.lower() in (email.lower(), local.lower()):
        raise UnfitPasswordError("It is the address. Choose another password.", field)
    if _score(password[:_JUDGED], email[:_JUDGED], local[:_JUDGED]) < _LEAST_SCORE:
        raise UnfitPasswordError(
            "It is among the passwords that are guessed first. Choose another, such as a few "
            "words that do not belong together.",
            field,
        )


def hash_password(password: str) -> str:
    """Return the hash to store of a password."""
    return _hashes.hash(password)


def is_password(password: str, kept: str | None) -> bool:
    """Return whether `kept` is the hash of this password.

    Without a hash (no such account, or no password) the answer is no. It takes as long, because
    another hash is verified instead.
    """
    is_right = _hashes.verify(password, NOBODYS_HASH if kept is None else kept)
    return is_right and kept is not None


def _score(password: str, *known: str) -> int:
    """Return zxcvbn's score of a password, from 0 to 4; `known` are words that a guesser knows."""
    # Its lists take 14 MB, which a process needs only for new passwords.
    from zxcvbn import zxcvbn

    with _one_at_a_time:
        score: int = zxcvbn(password, user_inputs=known)["score"]
    return score
