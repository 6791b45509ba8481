"""Voices that read stories aloud."""

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from backend.models.base import Base, PrimaryKey, Timestamped, parent
from backend.models.enums import Visibility, VoiceStatus

if TYPE_CHECKING:
    from backend.models.user import User


class Voice(Timestamped, Base):
    """A voice that the provider stores for a person, who may share it."""

    __tablename__ = "voices"

    id: Mapped[PrimaryKey]
    user_id: Mapped[UUID] = mapped_column(parent("users.id"), index=True)
    provider_voice_id: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    language: Mapped[str | None]
    gender: Mapped[str | None]
    preview_url: Mapped[str | None]
    category: Mapped[str | None]
    visibility: Mapped[Visibility] = mapped_column(server_default=Visibility.PRIVATE)
    status: Mapped[VoiceStatus] = mapped_column(server_default=VoiceStatus.PROCESSING)
    completed_at: Mapped[datetime | None]
    meta_data: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))

    user: Mapped["User"] = relationship(back_populates="voices")
