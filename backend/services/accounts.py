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

TOKEN_REFUSED = "The token is not good, or not any longer. Sign in again."  # noqa: S105


@dataclass(frozen=True)
class Kept:
    """The part of an account that tells whether a password is its own."""

    id: UUID
    password_hash: str | None = field(repr=False)
    is_active: bool
    generation: int

    @property
    def claim(self) -> Claim:
        """Return what a new token of the account says."""
        return Claim(self.id, self.generation)


def register(session: Session, email: str, password_hash: str) -> None:
    """Make an account unless its address has one. Both take the same time.

    The address of the system gets the system's account, which nobody can sign in to.
    """
    kept_email = as_kept(email)
    made = insert(User).values(
        email=kept_email, password_hash=None if kept_email == SYSTEM_EMAIL else password_hash
    )
    session.execute(
        # The row that is there is written as it is, so that both ways write and commit. The column
        # is no key: else it would wait for each open transaction that adds a book of this account.
        made.on_conflict_do_update(index_elements=[User.email], set_={"is_active": User.is_active})
    )
    session.commit()


def kept_of(session: Session, email: str) -> Kept | None:
    """Return what is kept of an account; None if the address has none.

    The connection is given back: what comes next takes long.
    """
    with session:
        found = session.execute(
            select(User.id, User.password_hash, User.is_active, User.token_generation).where(
                User.email == as_kept(email)
            )
        ).one_or_none()
    return None if found is None else Kept(*found)


def require_active(session: Session, claim: Claim) -> Account:
    """Return the active account. One query.

    Raises UnauthenticatedError if there is none, it is not active, or has ended such tokens.
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
    """Keep another password, and end all tokens; return what a new one says.

    Raises UnauthenticatedError if all tokens were ended meanwhile.
    """
    return _end_tokens(session, claim, password_hash=password_hash)


def end_tokens(session: Session, claim: Claim) -> None:
    """End all tokens of an account, this one too. Raises as `change_password` does."""
    _end_tokens(session, claim)


def as_kept(email: str) -> str:
    """Return an address as it is kept: upper and lower case are the same."""
    return email.lower()


def _end_tokens(session: Session, claim: Claim, **changes: str) -> Claim:
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
