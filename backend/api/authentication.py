"""The account of a request: none, or the active account of the request's token."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.orm import Session

from backend.api.dependencies import DatabaseSession, OpenResources
from backend.schemas.accounts import Account
from backend.services.accounts import TOKEN_REFUSED, require_active
from backend.services.errors import UnauthenticatedError
from backend.services.tokens import Claim, Tokens

bearer = HTTPBearer(
    auto_error=False, scheme_name="token", description="The access_token of a login."
)
"""Reads the header `Authorization: Bearer …`; None if the request has none."""

TOKEN_IS_OPTIONAL: dict[str, Any] = {"security": [{}]}
"""Marks a route in the documentation that accepts a token but needs none."""


def claim_in(credentials: HTTPAuthorizationCredentials | None, tokens: Tokens) -> Claim | None:
    """Return the content of the token; None without a valid token."""
    return None if credentials is None else tokens.read(credentials.credentials)


# Not in a thread: most readers send no token, and need no query.
async def _claimed(
    request: Request,
    opened: OpenResources,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> Claim | None:
    """Return the content of the request's token; None if the request has no token.

    Raises UnauthenticatedError for an invalid token, which is never ignored.
    """
    if "authorization" not in request.headers:
        return None
    claim = claim_in(credentials, opened.tokens)
    if claim is None:
        raise UnauthenticatedError(TOKEN_REFUSED)
    return claim


Claimed = Annotated[Claim | None, Depends(_claimed)]
"""The content of the request's token. The account may be inactive: see `require_active`."""


async def _current_claim(claimed: Claimed) -> Claim:
    """Return the content of the token; raise UnauthenticatedError without a token."""
    if claimed is None:
        raise UnauthenticatedError("Sign in, and send the token: `Authorization: Bearer …`.")
    return claimed


CurrentClaim = Annotated[Claim, Depends(_current_claim)]


async def _current_account(
    request: Request, session: DatabaseSession, opened: OpenResources, claim: CurrentClaim
) -> Account:
    """Return the account of the request; raise UnauthenticatedError if there is none."""
    found = await opened.reading.run(_account, session, claim)
    request.state.user_id = found.id  # for the log
    return found


def _account(session: Session, claim: Claim) -> Account:
    """Return the active account, and give the connection back before the wait for a thread.

    A request that has a thread may wait for a connection. So a request that has a connection must
    not wait for a thread.
    """
    with session:
        return require_active(session, claim)


async def _owner(account: Annotated[Account, Depends(_current_account)]) -> UUID:
    return account.id


CurrentAccount = Annotated[Account, Depends(_current_account)]
Owner = Annotated[UUID, Depends(_owner)]
