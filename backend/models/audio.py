"""Recordings that belong to an account and not to a dialogue."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import BigInteger, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from backend.models.base import Base, PrimaryKey, Timestamped, parent

if TYPE_CHECKING:
    from backend.models.user import User


class Audio(Timestamped, Base):
    """A file that a person uploaded or had read aloud; duration in seconds, size in bytes."""

    __tablename__ = "audios"

    id: Mapped[PrimaryKey]
    user_id: Mapped[UUID] = mapped_column(parent("users.id"), index=True)
    file_url: Mapped[str]
    file_path: Mapped[str | None]
    duration: Mapped[float | None]
    file_size: Mapped[int | None] = mapped_column(BigInteger)
    mime_type: Mapped[str | None]
    text_content: Mapped[str | None]
    # The provider's id: a voice may be the provider's own, without a row in our table.
    voice_id: Mapped[str | None]
    provider: Mapped[str | None]
    meta_data: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))

    user: Mapped["User"] = relationship(back_populates="audios")
