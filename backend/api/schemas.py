"""What the health routes answer with."""

from typing import Literal

from pydantic import BaseModel, Field


class Live(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """The database answers and its schema is where this release needs it."""

    status: Literal["ready", "degraded"] = Field(
        description="Degraded: most requests work, and the reason says what does not."
    )
    state: str = Field(examples=["current"])
    current: list[str] = Field(description="The revisions the schema is at.", examples=[["008"]])
    target: str = Field(description="Where it should be.", examples=["008"])
    reason: str | None = Field(default=None, description="Why it is degraded; else left out.")


class Unavailable(BaseModel):
    """The database is away, its schema is not where this release needs it, or this is stopping."""

    status: Literal["unavailable", "draining"] = "unavailable"
    state: str | None = Field(
        description="The schema's state; null where it could not be looked at.",
        examples=["behind"],
    )
    current: list[str] = Field(examples=[["007"]])
    target: str | None = Field(examples=["008"])
    reason: str = Field(description="What is wrong and what to do, for the operator.")
