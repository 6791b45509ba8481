"""Passwords: only their Argon2id hashes are kept."""

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

# OWASP's least: 19 MiB, two passes, one lane. The library's own choice takes 64 MiB a hash.
_hashes = PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1),))

AT_ONCE = 4
"""How many passwords may be hashed at once, lest they take all of the memory: callers see to it."""

# Nobody's: the hash of a random text that was thrown away.
NOBODYS_HASH = (
    "$argon2id$v=19$m=19456,t=2,p=1$+J92aza1SJqB4yQJZqb85A$"
    "BJWEVg+nXgEAt6o7bmj3NpRGeq8Sd49bzdekT4fVQ0U"
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
