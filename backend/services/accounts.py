"""Accounts: register, sign in, and who somebody is."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from backend.models import User
from backend.schemas.accounts import Account, Credentials, NewAccount
from backend.services.errors import ConflictError, UnauthenticatedError
from backend.services.passwords import hash_password, is_password


def register(session: Session, new: NewAccount) -> Account:
    """Make an account. Raises ConflictError where its address has one already."""
    # Before a connection is taken: hashing takes long.
    kept = hash_password(new.password.get_secret_value())
    made = session.execute(
        insert(User)
        .values(email=_address(new.email), password_hash=kept)
        .on_conflict_do_nothing(index_elements=[User.email])
        .returning(User.id, User.email, User.created_at)
    ).one_or_none()
    if made is None:
        raise ConflictError("This address has an account already. Sign in with its password.")
    account = Account.model_validate(made)
    session.commit()
    return account


def sign_in(session: Session, given: Credentials) -> UUID:
    """Return whose address and password these are.

    Raises UnauthenticatedError where they are nobody's, or somebody's who is not active: in the
    same words and after the same time.
    """
    found = session.execute(
        select(User.id, User.password_hash, User.is_active).where(
            User.email == _address(given.email)
        )
    ).one_or_none()
    # Verifying takes long, and others need the connection.
    session.rollback()
    kept = None if found is None else found.password_hash
    is_right = is_password(given.password.get_secret_value(), kept)
    if found is None or not is_right or not found.is_active:
        raise UnauthenticatedError("Address or password are wrong.")
    identifier: UUID = found.id
    return identifier


def active_account(session: Session, identifier: UUID) -> Account | None:
    """Return the account; None where there is none, or it is not active."""
    found = session.execute(
        select(User.id, User.email, User.created_at).where(User.id == identifier, User.is_active)
    ).one_or_none()
    return None if found is None else Account.model_validate(found)


def _address(email: str) -> str:
    return email.lower()
