"""What all tables share: their metadata, the types behind annotations, and common columns."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Double,
    Enum,
    ForeignKey,
    MetaData,
    Text,
    func,
    literal_column,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from backend.models.enums import BookStatus, Visibility, VoiceStatus


def _labels(members: type[StrEnum]) -> list[str]:
    """Return the values: SQLAlchemy alone would take the upper-case names of the members."""
    return [member.value for member in members]


class Base(DeclarativeBase):
    """The declarative base.

    Every constraint gets its name from the convention, so that a migration can name what it
    changes and a database made by migrations equals one made from these models.
    """

    # Rows that bring their ids then go many to a statement: to learn the times that the database
    # gave them, each would need a statement of its own.
    __mapper_args__ = {"eager_defaults": False}  # noqa: RUF012 - SQLAlchemy reads it from the class

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy declares it as an instance's attribute
        str: Text(),
        float: Double(),
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB(),
        BookStatus: Enum(BookStatus, name="book_status", values_callable=_labels),
        Visibility: Enum(Visibility, name="visibility", values_callable=_labels),
        VoiceStatus: Enum(VoiceStatus, name="voice_status", values_callable=_labels),
    }


PrimaryKey = Annotated[UUID, mapped_column(primary_key=True, server_default=func.gen_random_uuid())]


def parent(column: str) -> ForeignKey:
    """Return a reference to a parent with which its children are deleted, by the database."""
    return ForeignKey(column, ondelete="CASCADE")


LATER: ColumnElement[datetime] = literal_column(
    "greatest(clock_timestamp(), updated_at + interval '1 microsecond')"
)
"""When a row is changed, for an UPDATE: now, and after whatever it was before.

Not the transaction's start, which may be before the end of another that it had to wait for.
"""


class Timestamped:
    """Adds when a row was made and last changed, by the database's clock, as last columns."""

    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=1000)
    updated_at: Mapped[datetime] = mapped_column(
        server_default=func.now(), onupdate=LATER, sort_order=1001
    )
