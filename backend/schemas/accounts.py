"""Accounts: what registers them, what signs in, and what is said about them."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from backend.schemas.kinds import Email, Password
from backend.schemas.sent import New


class NewAccount(New):
    """Who wants an account; upper and lower case are the same in the address."""

    email: Email
    password: Password = Field(min_length=10, max_length=200)


class Credentials(New):
    """Who wants to sign in. Any password may be tried: only registering has a least length."""

    email: Email
    password: Password = Field(max_length=200)


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
