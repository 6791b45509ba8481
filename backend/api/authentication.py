"""The account that asks: none, or the active one whose token the request shows."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.orm import Session

from backend.api.dependencies import DatabaseSession, OpenResources
from backend.schemas.accounts import Account
from backend.services.accounts import active_account
from backend.services.errors import UnauthenticatedError

_bearer = HTTPBearer(
    auto_error=False, scheme_name="token", description="The access_token of a login."
)

NOBODY_MAY_ASK: dict[str, Any] = {"security": [{}]}
"""For the documentation of a route that takes a token and needs none."""


# Not in a thread: most readers show no token, and need no query.
async def _claimed(
    request: Request,
    opened: OpenResources,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> UUID | None:
    """Return whose token the request shows; None if it shows none.

    Raises UnauthenticatedError for a token that is not good, which is never passed over.
    """
    if "authorization" not in request.headers:
        return None
    identifier = None if credentials is None else opened.tokens.account(credentials.credentials)
    if identifier is None:
        raise _refusal()
    return identifier


Claimed = Annotated[UUID | None, Depends(_claimed)]
"""Whose token the request shows. The account may be inactive: see `require_active`."""


def require_active(session: Session, identifier: UUID) -> Account:
    """Return the active account; raise UnauthenticatedError if there is none. One query."""
    found = active_account(session, identifier)
    if found is None:
        raise _refusal()
    return found


def _refusal() -> UnauthenticatedError:
    return UnauthenticatedError("The token is not good, or not any longer. Sign in again.")


async def _viewing_account(
    request: Request, session: DatabaseSession, claimed: Claimed
) -> Account | None:
    """Return who asks; None if the request says nothing about it."""
    if claimed is None:
        return None
    found = await run_in_threadpool(_account, session, claimed)
    request.state.user_id = found.id  # for the log
    return found


def _account(session: Session, identifier: UUID) -> Account:
    """Return the active account, with the connection given back for the wait for another thread.

    Those who have a thread wait for a connection: who has one must not wait for a thread.
    """
    with session:
        return require_active(session, identifier)


async def _current_account(
    account: Annotated[Account | None, Depends(_viewing_account)],
) -> Account:
    """Return who asks; raise UnauthenticatedError without a token."""
    if account is None:
        raise UnauthenticatedError("Sign in, and send the token: `Authorization: Bearer …`.")
    return account


async def _owner(account: Annotated[Account, Depends(_current_account)]) -> UUID:
    return account.id


CurrentAccount = Annotated[Account, Depends(_current_account)]
Owner = Annotated[UUID, Depends(_owner)]
