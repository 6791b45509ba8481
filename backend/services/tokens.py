"""Tokens: what a person who has signed in shows with each request."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

import jwt

_ALGORITHM = "HS256"

LIFETIME = timedelta(days=1)
"""How long a token is good; who is made inactive is refused at once all the same."""


@dataclass(frozen=True)
class Tokens:
    """Makes tokens and reads them, by one secret that all processes of the service share."""

    secret: str = field(repr=False)

    def issue(self, account: UUID) -> str:
        """Return a new token of an account."""
        now = datetime.now(UTC)
        claims = {"sub": str(account), "iat": now, "exp": now + LIFETIME}
        return jwt.encode(claims, self._key, _ALGORITHM)

    def account(self, token: str) -> UUID | None:
        """Return whose token it is; None where it is not ours, or has expired."""
        try:
            claims = jwt.decode(
                token, self._key, [_ALGORITHM], options={"require": ["sub", "iat", "exp"]}
            )
            return UUID(claims["sub"])
        except (jwt.InvalidTokenError, ValueError):
            return None

    @property
    def _key(self) -> bytes:
        # As long as the algorithm's output, however long the secret is.
        return sha256(b"moriai access token\0" + self.secret.encode()).digest()
