"""Attempts that are limited: to sign in, and to register."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from backend.models.base import Base


class Attempt(Base):
    """Recent attempts at one thing; `key` is a digest, which names no person and no computer.

    From `next_at` on it may be tried again. At `forgotten_at` every attempt is forgotten: the row
    means nothing then, and can be deleted.
    """

    __tablename__ = "attempts"

    key: Mapped[bytes] = mapped_column(primary_key=True)
    next_at: Mapped[datetime]
    forgotten_at: Mapped[datetime] = mapped_column(index=True)
