"""Owners of books, recordings and voices."""

from typing import TYPE_CHECKING

from sqlalchemy import text, true
from sqlalchemy.orm import Mapped, mapped_column, relationship

from backend.models.base import Base, PrimaryKey, Timestamped

if TYPE_CHECKING:
    from backend.models.audio import Audio
    from backend.models.book import Book
    from backend.models.voice import Voice


SYSTEM_EMAIL = "system@moriai.ai"
"""The address of the system's own account; it has no password, so it cannot sign in."""


class User(Timestamped, Base):
    """A person or the system itself; a user of another identity provider has no password here."""

    __tablename__ = "users"

    id: Mapped[PrimaryKey]
    email: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str | None]
    oauth_provider: Mapped[str | None]
    oauth_id: Mapped[str | None]
    is_active: Mapped[bool] = mapped_column(server_default=true())
    # Tokens of an earlier generation are refused.
    token_generation: Mapped[int] = mapped_column(server_default=text("0"))

    books: Mapped[list["Book"]] = relationship(
        back_populates="user", cascade="all, delete-orphan", passive_deletes=True
    )
    audios: Mapped[list["Audio"]] = relationship(
        back_populates="user", cascade="all, delete-orphan", passive_deletes=True
    )
    voices: Mapped[list["Voice"]] = relationship(
        back_populates="user", cascade="all, delete-orphan", passive_deletes=True
    )
