"""The export of all data of an account."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from backend.schemas.accounts import Account
from backend.schemas.books import BookDetail
from backend.schemas.voices import VoiceDetail


class AudioDetail(BaseModel):
    """A recording that belongs to an account and not to a dialogue."""

    model_config = ConfigDict(from_attributes=True, frozen=True)

    id: UUID
    file_url: str
    file_path: str | None
    duration: float | None = Field(description="Seconds.")
    file_size: int | None = Field(description="Bytes.")
    mime_type: str | None
    text_content: str | None
    voice_id: str | None
    provider: str | None
    meta_data: dict[str, Any]
    created_at: datetime
    updated_at: datetime


class Export(BaseModel):
    """All data of an account, oldest first."""

    account: Account
    books: list[BookDetail]
    voices: list[VoiceDetail]
    audios: list[AudioDetail]
