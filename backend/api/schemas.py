"""Answers of the health routes."""

from typing import Literal

from pydantic import BaseModel, Field


class Live(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """The database answers and its schema fits this release."""

    status: Literal["ready", "degraded"] = Field(
        description="Degraded: most requests work, and the reason says what does not."
    )
    state: str = Field(examples=["current"])
    current: list[str] = Field(
        description="The present revisions of the schema.", examples=[["008"]]
    )
    target: str = Field(description="The revision that it should be at.", examples=["008"])
    reason: str | None = Field(default=None, description="Why it is degraded; else left out.")


class Unavailable(BaseModel):
    """The database is unreachable, the schema does not fit, or the process is stopping."""

    status: Literal["unavailable", "draining"] = "unavailable"
    state: str | None = Field(
        description="The schema's state; null if it could not be read.",
        examples=["behind"],
    )
    current: list[str] = Field(examples=[["007"]])
    target: str | None = Field(examples=["008"])
    reason: str = Field(description="What is wrong and what to do, for the operator.")
