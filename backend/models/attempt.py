"""Attempts to sign in and to register, which are limited."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from backend.models.base import Base


class Attempt(Base):
    """Recent attempts at one thing; `key` is a digest that identifies no person and no computer.

    From `next_at` on another attempt is allowed. After `forgotten_at` the row no longer counts, and
    can be deleted.
    """

    __tablename__ = "attempts"

    key: Mapped[bytes] = mapped_column(primary_key=True)
    next_at: Mapped[datetime]
    forgotten_at: Mapped[datetime] = mapped_column(index=True)
