"""Accounts: bodies for registration and sign-in, and answers about accounts."""

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
        description="Not easy to guess: no common password, and not the address.",
    ),
]

# Any password may be tried: only a new one has a minimum length.
_TriedPassword = Annotated[Password, Field(max_length=200)]


class NewAccount(New):
    """A request for an account; the address is not case-sensitive."""

    email: Email
    password: _NewPassword


class Registered(BaseModel):
    """The registered address in lower case. An existing account of the address stays as it is."""

    email: str


class Credentials(New):
    """An address and a password, for a sign-in."""

    email: Email
    password: _TriedPassword


class PasswordChange(New):
    """The present password and the new one."""

    password: _TriedPassword
    new_password: _NewPassword


class Confirmation(New):
    """The password of the account, for an action that cannot be undone."""

    password: _TriedPassword


class Account(BaseModel):
    """An account, as its owner sees it."""

    model_config = ConfigDict(from_attributes=True, frozen=True)

    id: UUID
    email: str
    created_at: datetime


class AccessToken(BaseModel):
    """A token that authenticates requests until it expires."""

    access_token: str = Field(description="For the header `Authorization: Bearer …`.")
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the kind, as OAuth calls it
    expires_in: int = Field(description="Seconds.", examples=[86_400])
