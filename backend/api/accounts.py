"""Accounts: register, sign in, and who that is."""

from anyio import to_thread
from fastapi import APIRouter, status

from backend.api.authentication import CurrentAccount
from backend.api.dependencies import DatabaseSession, OpenResources
from backend.api.problems import answers
from backend.schemas.accounts import AccessToken, Account, Credentials, NewAccount
from backend.schemas.sent import Sent
from backend.services import accounts
from backend.services.tokens import LIFETIME

router = APIRouter(prefix="/api/v1/auth", tags=["accounts"])


@router.post(
    "/register",
    summary="Register",
    status_code=status.HTTP_201_CREATED,
    responses=answers(400, 409, 422, 503),
)
async def register(
    session: DatabaseSession, opened: OpenResources, new: Sent[NewAccount]
) -> Account:
    """Make an account, which may sign in at once."""
    return await to_thread.run_sync(accounts.register, session, new, limiter=opened.hashing)


@router.post("/login", summary="Sign in", responses=answers(400, 401, 422, 503))
async def login(
    session: DatabaseSession, opened: OpenResources, given: Sent[Credentials]
) -> AccessToken:
    """Return a token; the answer to wrong ones does not tell whether there is such an account."""
    account = await to_thread.run_sync(accounts.sign_in, session, given, limiter=opened.hashing)
    return AccessToken(
        access_token=opened.tokens.issue(account), expires_in=int(LIFETIME.total_seconds())
    )


@router.get("/me", summary="Who am I?", responses=answers(401, 503))
def me(account: CurrentAccount) -> Account:
    """Return the account whose token this is."""
    return account
