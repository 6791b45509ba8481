from unittest.mock import ANY

from pwdlib.hashers.argon2 import Argon2Hasher

from backend.services.passwords import NOBODYS_HASH, hash_password, is_password


def test_a_password_is_known_by_its_hash() -> None:
    kept = hash_password("open sesame")
    assert is_password("open sesame", kept)
    assert not is_password("open sesames", kept)


def test_nobody_has_no_password() -> None:
    """Whatever is tried, a hash is verified, and the answer is no."""
    assert not is_password("", None)
    assert not is_password("open sesame", None)


def test_nobodys_hash_takes_as_long_as_anybodys() -> None:
    """It has the same parameters, which is what decides about the time."""
    *anybody, _salt, _hash = hash_password("open sesame").split("$")
    assert [*anybody, ANY, ANY] == NOBODYS_HASH.split("$")
    hasher = Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
    assert not hasher.check_needs_rehash(NOBODYS_HASH)
