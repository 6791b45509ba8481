"""Tokens: what a person who has signed in shows with each request."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

import jwt

_ALGORITHM = "HS256"

_GENERATION = "gen"

LIFETIME = timedelta(days=1)
"""How long a token is good; who is made inactive is refused at once all the same."""

LEEWAY = timedelta(seconds=30)
"""How far apart the clocks of two replicas may be."""


@dataclass(frozen=True)
class Claim:
    """The content of a token: its account, and which generation of that account's tokens it is."""

    account: UUID
    generation: int


@dataclass(frozen=True)
class Tokens:
    """Makes tokens and reads them, by one secret that all processes of the service share."""

    secret: str = field(repr=False)

    def issue(self, claim: Claim) -> str:
        """Return a new token that says this."""
        now = datetime.now(UTC)
        claims = {
            "sub": str(claim.account),
            _GENERATION: claim.generation,
            "iat": now,
            "exp": now + LIFETIME,
        }
        return jwt.encode(claims, self._key, _ALGORITHM)

    def read(self, token: str) -> Claim | None:
        """Return what a token says; None if it is not ours, or has expired.

        A token of a release that knew no generations is of the first one.
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
        # As long as the algorithm's output, however long the secret is.
        return sha256(b"moriai access token\0" + self.secret.encode()).digest()
