"""Accounts: what registers them, what signs in, and what is said about them."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from backend.schemas.field_types import Email, Password
from backend.schemas.request_body import New

_NewPassword = Annotated[
    Password,
    Field(
        min_length=10,
        max_length=200,
        description="None that is guessed first, like a common one or the address.",
    ),
]

# Any password may be tried: only a new one has a least length.
_TriedPassword = Annotated[Password, Field(max_length=200)]


class NewAccount(New):
    """A wish for an account; upper and lower case are the same in the address."""

    email: Email
    password: _NewPassword


class Registered(BaseModel):
    """The address that registered, in lower case. An account that it had before stays as it is."""

    email: str


class Credentials(New):
    """A wish to sign in."""

    email: Email
    password: _TriedPassword


class PasswordChange(New):
    """The present password, and the one that comes after it."""

    password: _TriedPassword
    new_password: _NewPassword


class Confirmation(New):
    """The password of the account, for what cannot be taken back."""

    password: _TriedPassword


class Account(BaseModel):
    """A person's account, as its owner sees it."""

    model_config = ConfigDict(from_attributes=True, frozen=True)

    id: UUID
    email: str
    created_at: datetime


class AccessToken(BaseModel):
    """What signs the requests of a person, until it expires."""

    access_token: str = Field(description="For the header `Authorization: Bearer …`.")
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the kind, as OAuth calls it
    expires_in: int = Field(description="Seconds.", examples=[86_400])
