"""The account that asks: none, or the active one whose token the request shows."""

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
"""Gives what a request shows as `Authorization: Bearer …`; None if it shows no such thing."""

NOBODY_MAY_ASK: dict[str, Any] = {"security": [{}]}
"""For the documentation of a route that takes a token and needs none."""


def claim_in(credentials: HTTPAuthorizationCredentials | None, tokens: Tokens) -> Claim | None:
    """Return what the token says; None without a good one."""
    return None if credentials is None else tokens.read(credentials.credentials)


# Not in a thread: most readers show no token, and need no query.
async def _claimed(
    request: Request,
    opened: OpenResources,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> Claim | None:
    """Return what the token of the request says; None if it shows none.

    Raises UnauthenticatedError for a token that is not good, which is never passed over.
    """
    if "authorization" not in request.headers:
        return None
    claim = claim_in(credentials, opened.tokens)
    if claim is None:
        raise UnauthenticatedError(TOKEN_REFUSED)
    return claim


Claimed = Annotated[Claim | None, Depends(_claimed)]
"""What the token of the request says. The account may be inactive: see `require_active`."""


async def _current_claim(claimed: Claimed) -> Claim:
    """Return what the token says; raise UnauthenticatedError without a token."""
    if claimed is None:
        raise UnauthenticatedError("Sign in, and send the token: `Authorization: Bearer …`.")
    return claimed


CurrentClaim = Annotated[Claim, Depends(_current_claim)]


async def _current_account(
    request: Request, session: DatabaseSession, opened: OpenResources, claim: CurrentClaim
) -> Account:
    """Return the account that asks; raise UnauthenticatedError if none does."""
    found = await opened.reading.run(_account, session, claim)
    request.state.user_id = found.id  # for the log
    return found


def _account(session: Session, claim: Claim) -> Account:
    """Return the active account, with the connection given back for the wait for another thread.

    Those who have a thread wait for a connection: who has one must not wait for a thread.
    """
    with session:
        return require_active(session, claim)


async def _owner(account: Annotated[Account, Depends(_current_account)]) -> UUID:
    return account.id


CurrentAccount = Annotated[Account, Depends(_current_account)]
Owner = Annotated[UUID, Depends(_owner)]
