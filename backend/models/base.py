"""The common base of all tables: metadata, types for annotations, and columns."""

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
    """Return the values: by default SQLAlchemy would use the upper-case names of the members."""
    return [member.value for member in members]


class Base(DeclarativeBase):
    """The declarative base.

    Every constraint gets its name from the convention. So a migration can name each constraint, and
    a database made by migrations equals a database made from these models.
    """

    # Without the database's times, one INSERT can hold many rows that have their ids already. To
    # read the times back, each row would need a statement of its own.
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
    """Return a reference to a parent; the database deletes the children with the parent."""
    return ForeignKey(column, ondelete="CASCADE")


LATER: ColumnElement[datetime] = literal_column(
    "greatest(clock_timestamp(), updated_at + interval '1 microsecond')"
)
"""Time of a change, for an UPDATE: now, and always after the previous value.

The transaction's start would be wrong: it may be before the end of another transaction that this
one had to wait for.
"""


class Timestamped:
    """Adds the times of creation and last change, by the database's clock, as the last columns."""

    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=1000)
    updated_at: Mapped[datetime] = mapped_column(
        server_default=func.now(), onupdate=LATER, sort_order=1001
    )
