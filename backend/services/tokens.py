"""Tokens: they identify the account of a signed-in person in each request."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

import jwt

_ALGORITHM = "HS256"

_GENERATION = "gen"

LIFETIME = timedelta(days=1)
"""Lifetime of a token; an account that becomes inactive is refused at once all the same."""

LEEWAY = timedelta(seconds=30)
"""Largest difference between the clocks of two replicas."""


@dataclass(frozen=True)
class Claim:
    """The content of a token: its account, and the generation of that account's tokens."""

    account: UUID
    generation: int


@dataclass(frozen=True)
class Tokens:
    """Creates and reads tokens, with one secret that all processes of the service share."""

    secret: str = field(repr=False)

    def issue(self, claim: Claim) -> str:
        """Return a new token with this content."""
        now = datetime.now(UTC)
        claims = {
            "sub": str(claim.account),
            _GENERATION: claim.generation,
            "iat": now,
            "exp": now + LIFETIME,
        }
        return jwt.encode(claims, self._key, _ALGORITHM)

    def read(self, token: str) -> Claim | None:
        """Return the content of a token; None if the token is not ours, or has expired.

        Older releases wrote no generation into a token; it counts as the first.
        """
        try:
            claims = jwt.decode(
                token,
                self._key,
                [_ALGORITHM],
                options={"require": ["sub", "iat", "exp"]},
                leeway=LEEWAY,
            )
            return Claim(UUID(claims["sub"]), int(claims.get(_GENERATION, 0)))
        except (jwt.InvalidTokenError, ValueError, TypeError):
            return None

    @property
    def _key(self) -> bytes:
        # As long as the algorithm's output, for any length of the secret.
        return sha256(b"moriai access token\0" + self.secret.encode()).digest()
