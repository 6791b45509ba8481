import time
import timeit
from unittest.mock import ANY

import pytest
from pwdlib.hashers.argon2 import Argon2Hasher

from backend.services.errors import UnfitPasswordError
from backend.services.passwords import (
    NOBODYS_HASH,
    hash_password,
    is_password,
    require_fit,
)


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


@pytest.mark.parametrize(
    ("password", "is_taken"),
    [
        ("1234567890", False),
        ("password123", False),
        ("PASSWORDPASSWORD", False),
        ("qwertyuiop", False),
        ("aaaaaaaaaaaa", False),
        ("iloveyou2020", False),
        # What the address tells.
        ("mina.of.the.mountains@example.org", False),
        ("Mina.of.the.mountains", False),
        ("a-lot-of-small-steps", True),
        ("open sesame!", True),
        ("그네가 올라가요 정말", True),
        # What is strong at its end is, whatever is repeated there.
        ("kx7-bread-lantern-aaaaaaaaaaaaaaaaaaaa", True),
    ],
)
def test_passwords_that_are_guessed_first_are_refused(password: str, is_taken: bool) -> None:
    email = "mina.of.the.mountains@example.org"
    if is_taken:
        require_fit(password, email, "password")
        return
    with pytest.raises(UnfitPasswordError, match=r"Choose another") as refused:
        require_fit(password, email, "password")
    assert refused.value.field == "password"
    assert password not in str(refused.value)


@pytest.mark.parametrize(
    "awkward",
    [
        "8+@1{2{[$815<$1!2|[|2632!%$499$6{<7@6(8@008+{+7%13@|[@97@{$00<<0" * 3,
        "4@8({[<369!1|70$5+%2" * 10,
        "({[<1!|7$5+4@%2(" * 12,
    ],
)
def test_judging_a_password_takes_bounded_time(awkward: str) -> None:
    """Letters that stand for others make zxcvbn try every way to read them, of 200 forever."""
    assert _seconds(awkward) < 500 * _seconds("kx7-bread-lanter")


def _seconds(password: str) -> float:
    """Return the processor's time to judge a password: the shortest of three runs."""

    def judge() -> None:
        require_fit(password, "mina@example.org", "password")

    return min(timeit.repeat(judge, timer=time.thread_time, number=1, repeat=3))
