"""Voices in requests and answers."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, with_config
from typing_extensions import TypedDict

from backend.models import Visibility, VoiceStatus
from backend.schemas.field_types import (
    LanguageCode,
    Name,
    OwnVisibility,
    ProviderVoiceId,
    ShortText,
    Url,
)
from backend.schemas.request_body import EXACT, New


class VoiceDetail(BaseModel):
    """A voice that reads stories aloud."""

    model_config = ConfigDict(from_attributes=True, frozen=True)

    id: UUID
    provider_voice_id: str = Field(
        description="The voice's id at its provider.", examples=["narrator-en"]
    )
    name: str = Field(examples=["Grandpa"])
    language: str | None = Field(examples=["en"])
    gender: str | None
    preview_url: str | None
    category: str | None
    visibility: Visibility
    status: VoiceStatus
    completed_at: datetime | None
    created_at: datetime
    updated_at: datetime


class VoiceList(BaseModel):
    """A page of the list of voices, in the requested order."""

    model_config = ConfigDict(frozen=True)

    items: list[VoiceDetail]
    next_cursor: str | None = Field(
        description="Cursor of the next page; null if this page is the last."
    )


class NewVoice(New):
    """A voice that its provider has begun to make."""

    provider_voice_id: ProviderVoiceId
    name: Name
    language: LanguageCode | None = None
    gender: ShortText | None = None
    preview_url: Url | None = None
    category: ShortText | None = None
    visibility: OwnVisibility = Visibility.PRIVATE


@with_config(EXACT)
class VoiceChange(TypedDict, total=False):
    """Changes of a voice; all other fields stay."""

    name: Name
    language: LanguageCode | None
    gender: ShortText | None
    preview_url: Url | None
    category: ShortText | None
    status: Annotated[VoiceStatus, Field(description="Along the transitions that are allowed.")]
    visibility: OwnVisibility
