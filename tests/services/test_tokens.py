"""What tokens say, and when they are refused."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest

from backend.services.tokens import LEEWAY, LIFETIME, Claim, Tokens

TOKENS = Tokens("a long text that signs the tokens of tests")
ACCOUNT = UUID("00000000-0000-0000-0000-000000000001")
SECOND = timedelta(seconds=1)


def token(changes: Mapping[str, Any]) -> str:
    """Return a token as it is made, with other claims."""
    made = jwt.decode(TOKENS.issue(Claim(ACCOUNT, 3)), TOKENS._key, ["HS256"])
    return jwt.encode({**made, **changes}, TOKENS._key, "HS256")


def test_a_token_says_whose_it_is() -> None:
    claim = Claim(ACCOUNT, 3)
    assert TOKENS.read(TOKENS.issue(claim)) == claim
    assert Tokens("another secret of another service").read(TOKENS.issue(claim)) is None


def test_a_token_of_a_release_without_generations_is_of_the_first() -> None:
    now = datetime.now(UTC)
    former = {"sub": str(ACCOUNT), "iat": now, "exp": now + LIFETIME}
    assert TOKENS.read(jwt.encode(former, TOKENS._key, "HS256")) == Claim(ACCOUNT, 0)


@pytest.mark.parametrize(
    ("claim", "offset", "is_good"),
    [
        ("iat", LEEWAY - 10 * SECOND, True),
        ("iat", LEEWAY + 10 * SECOND, False),
        ("nbf", LEEWAY - 10 * SECOND, True),
        ("nbf", LEEWAY + 10 * SECOND, False),
        ("exp", 10 * SECOND - LEEWAY, True),
        ("exp", -10 * SECOND - LEEWAY, False),
    ],
)
def test_clocks_may_differ_a_little(claim: str, offset: timedelta, is_good: bool) -> None:
    """A token of a replica that is ahead is good, and not for long."""
    found = TOKENS.read(token({claim: datetime.now(UTC) + offset}))
    assert (found is not None) == is_good


@pytest.mark.parametrize(
    "changes", [{"sub": "nobody"}, {"gen": "new"}, {"gen": None}, {"exp": None}]
)
def test_a_token_that_cannot_be_read_is_none(changes: Mapping[str, Any]) -> None:
    assert TOKENS.read(token(changes)) is None
