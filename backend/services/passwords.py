"""Passwords: only their Argon2id hashes are kept, and those that are guessed first are refused."""

from threading import Lock

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from backend.services.errors import UnfitPasswordError

# OWASP's least: 19 MiB, two passes, one lane. The library's own choice takes 64 MiB a hash.
_hashes = PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1),))

# Nobody's: the hash of a random text that was thrown away.
NOBODYS_HASH = (
    "$argon2id$v=19$m=19456,t=2,p=1$+J92aza1SJqB4yQJZqb85A$"
    "BJWEVg+nXgEAt6o7bmj3NpRGeq8Sd49bzdekT4fVQ0U"
)

_JUDGED = 16
"""Characters that zxcvbn looks at: enough for two common words in a row.

The time doubles with every few more, for each way to read signs such as `|` and `{` as letters is
tried. The worst password found takes 0.09 s of a core; with 20 characters it takes 0.25 s.
"""

_LEAST_SCORE = 2
"""zxcvbn's for more than a million guesses, which the limit of attempts makes too many."""

# zxcvbn keeps what belongs to one password in a variable of its module.
_one_at_a_time = Lock()


def require_fit(password: str, email: str, field: str) -> None:
    """Raise UnfitPasswordError, which names the body's field, if a password is guessed first."""
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
    """Return what to keep of a password."""
    return _hashes.hash(password)


def is_password(password: str, kept: str | None) -> bool:
    """Return whether the password is the one that `kept` was made of.

    Where nothing is kept (there is no such account, or it has no password here) the answer is no,
    and takes as long: a hash is verified all the same.
    """
    is_right = _hashes.verify(password, NOBODYS_HASH if kept is None else kept)
    return is_right and kept is not None


def _score(password: str, *known: str) -> int:
    """Return zxcvbn's score of a password, from 0 to 4; `known` is what a guesser knows already."""
    # Its lists take 14 MB, which a process needs only for new passwords.
    from zxcvbn import zxcvbn

    with _one_at_a_time:
        score: int = zxcvbn(password, user_inputs=known)["score"]
    return score
