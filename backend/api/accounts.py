"""Account routes: register, sign in, read the account, end tokens, delete the account."""

from fastapi import APIRouter, Response, status

from backend.api.authentication import CurrentAccount, CurrentClaim
from backend.api.dependencies import OpenResources, Resources
from backend.api.exporting import ExportAnswer
from backend.api.password_checks import PasswordChecking
from backend.api.privacy import ACCOUNTS
from backend.api.problems import answers
from backend.api.routes import Forgetting
from backend.api.writer import Writing
from backend.schemas.accounts import (
    AccessToken,
    Account,
    Confirmation,
    Credentials,
    NewAccount,
    PasswordChange,
    Registered,
)
from backend.schemas.export import Export
from backend.schemas.request_body import Sent
from backend.services import accounts
from backend.services.account_deletion import delete_account
from backend.services.errors import UnauthenticatedError, WrongPasswordError
from backend.services.export import exported
from backend.services.tokens import LIFETIME, Claim

router = APIRouter(prefix=ACCOUNTS, tags=["accounts"], route_class=Forgetting)


@router.post(
    "/register",
    summary="Register",
    status_code=status.HTTP_202_ACCEPTED,
    responses=answers(400, 422, 429, 503),
)
async def register(checker: PasswordChecking, new: Sent[NewAccount]) -> Registered:
    """Create an account, which may sign in at once.

    The answer does not tell whether the address already had an account. An existing account stays
    as it is, with its password.
    """
    await checker.begin_registering()
    kept = await checker.hashed(new.password.get_secret_value(), new.email, "password")
    await checker.writer.write(accounts.register, new.email, kept)
    return Registered(email=accounts.normalized_email(new.email))


@router.post("/login", summary="Sign in", responses=answers(400, 401, 422, 429, 503))
async def login(
    checker: PasswordChecking, given: Sent[Credentials], answer: Response
) -> AccessToken:
    """Return a token. A refusal does not tell whether the account exists."""
    kept = await checker.account(given.email, given.password.get_secret_value())
    if kept is None:
        raise UnauthenticatedError("The address or the password is wrong.")
    return _token(checker.opened, kept.claim, answer)


@router.get("/me", summary="Who am I?", responses=answers(401, 503))
async def me(account: CurrentAccount) -> Account:
    """Return the account of this token."""
    return account


@router.get(
    "/me/export",
    summary="Export everything",
    response_model=Export,
    responses=answers(401, 503),
)
async def export(opened: OpenResources, account: CurrentAccount, claim: CurrentClaim) -> Response:
    """Return all data of your account: books with their pages, voices and recordings."""
    return ExportAnswer(opened.exports, account.id, exported(opened.sessions, account, claim))


@router.post(
    "/password", summary="Change the password", responses=answers(400, 401, 403, 422, 429, 503)
)
async def change_password(
    checker: PasswordChecking,
    account: CurrentAccount,
    claim: CurrentClaim,
    change: Sent[PasswordChange],
    answer: Response,
) -> AccessToken:
    """Change your password and return a new token. All other tokens are refused from now on."""
    await _confirm(checker, account, change.password.get_secret_value())
    new = change.new_password.get_secret_value()
    kept = await checker.hashed(new, account.email, "new_password")
    renewed = await checker.writer.write(accounts.change_password, claim, kept)
    return _token(checker.opened, renewed, answer)


@router.post(
    "/logout-everywhere",
    summary="Sign out everywhere",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=answers(401, 503),
)
async def log_out_everywhere(
    writer: Writing, _account: CurrentAccount, claim: CurrentClaim
) -> None:
    """Revoke all tokens of your account, this one too."""
    await writer.write(accounts.revoke_tokens, claim)


@router.post(
    "/me/delete",
    summary="Delete the account",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=answers(400, 401, 403, 409, 422, 429, 503),
)
async def delete(
    checker: PasswordChecking,
    account: CurrentAccount,
    claim: CurrentClaim,
    given: Sent[Confirmation],
) -> None:
    """Delete your account with its books, recordings and voices. This cannot be undone."""
    await _confirm(checker, account, given.password.get_secret_value())
    await checker.writer.write(delete_account, claim)


async def _confirm(checker: PasswordChecking, account: Account, password: str) -> None:
    kept = await checker.account(account.email, password)
    if kept is None or kept.id != account.id:
        raise WrongPasswordError("The password is wrong.")


def _token(opened: Resources, claim: Claim, answer: Response) -> AccessToken:
    """Return a new token in an answer that no cache may store (RFC 6749, 5.1)."""
    answer.headers["Cache-Control"] = "no-store"
    return AccessToken(
        access_token=opened.tokens.issue(claim), expires_in=int(LIFETIME.total_seconds())
    )
