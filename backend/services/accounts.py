"""Accounts: register, sign in, change the password, end all tokens."""

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from backend.models import SYSTEM_EMAIL, User
from backend.schemas.accounts import Account
from backend.services.errors import UnauthenticatedError
from backend.services.tokens import Claim

TOKEN_REFUSED = "The token is not valid, or no longer valid. Sign in again."  # noqa: S105


@dataclass(frozen=True)
class LoginRecord:
    """The columns of an account that a login needs."""

    id: UUID
    password_hash: str | None = field(repr=False)
    is_active: bool
    generation: int

    @property
    def claim(self) -> Claim:
        """Return the content of a new token for this account."""
        return Claim(self.id, self.generation)


def register(session: Session, email: str, password_hash: str) -> None:
    """Insert an account unless the address has one. Both cases take the same time.

    The address of the system gets the system's account, which cannot sign in.
    """
    kept_email = normalized_email(email)
    made = insert(User).values(
        email=kept_email, password_hash=None if kept_email == SYSTEM_EMAIL else password_hash
    )
    session.execute(
        # An existing row is updated with its own value, so that both cases write and commit. This
        # column is no key: an update of a key would wait for each open transaction that adds a book
        # of this account.
        made.on_conflict_do_update(index_elements=[User.email], set_={"is_active": User.is_active})
    )
    session.commit()


def login_record(session: Session, email: str) -> LoginRecord | None:
    """Return the login record of an address; None if the address has no account.

    The session gives its connection back, because the next step takes long.
    """
    with session:
        found = session.execute(
            select(User.id, User.password_hash, User.is_active, User.token_generation).where(
                User.email == normalized_email(email)
            )
        ).one_or_none()
    return None if found is None else LoginRecord(*found)


def require_active(session: Session, claim: Claim) -> Account:
    """Return the active account. One query.

    Raises UnauthenticatedError if the account is absent or inactive, or has revoked such tokens.
    """
    found = session.execute(
        select(User.id, User.email, User.created_at).where(
            User.id == claim.account, User.is_active, User.token_generation == claim.generation
        )
    ).one_or_none()
    if found is None:
        raise UnauthenticatedError(TOKEN_REFUSED)
    return Account.model_validate(found)


def change_password(session: Session, claim: Claim, password_hash: str) -> Claim:
    """Store another password and revoke all tokens; return the content of a new one.

    Raises UnauthenticatedError if all tokens were revoked meanwhile.
    """
    return _revoke_tokens(session, claim, password_hash=password_hash)


def revoke_tokens(session: Session, claim: Claim) -> None:
    """Revoke all tokens of an account, this one too. Raises as `change_password` does."""
    _revoke_tokens(session, claim)


def normalized_email(email: str) -> str:
    """Return an address in the stored form: lower case."""
    return email.lower()


def _revoke_tokens(session: Session, claim: Claim, **changes: str) -> Claim:
    generation = session.scalar(
        update(User)
        .where(User.id == claim.account, User.token_generation == claim.generation)
        .values(token_generation=User.token_generation + 1, **changes)
        .returning(User.token_generation)
    )
    if generation is None:
        raise UnauthenticatedError(TOKEN_REFUSED)
    session.commit()
    return Claim(claim.account, generation)
