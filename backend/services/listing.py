"""Read lists one page at a time, by the key of the last row: (created_at, id)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from pydantic import BaseModel
from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.orm import Session

from backend.models import Audio, Book, Voice
from backend.services.cursor import Position, encode

Shown = TypeVar("Shown", bound=BaseModel)


class Order(StrEnum):
    """The order of a list, by creation date."""

    NEWEST = "newest"
    OLDEST = "oldest"


@dataclass(frozen=True)
class PageRequest:
    """A request for a page: where it starts (None: at the beginning), its size and its order."""

    position: Position | None
    limit: int
    order: Order = Order.NEWEST


def rows_of(
    session: Session,
    kind: type[Book] | type[Voice] | type[Audio],
    shown: type[Shown],
    conditions: Sequence[ColumnElement[bool]],
    page: PageRequest,
) -> tuple[list[Shown], str | None]:
    """Return a page of the rows that fit, as `shown`, and the cursor of the next page.

    One query. The cursor is None if this page is the last. The cursor is a position among all rows,
    so it stays valid if the conditions change.
    """
    key = tuple_(kind.created_at, kind.id)
    rows = select(*(getattr(kind, name) for name in shown.model_fields)).where(*conditions)
    is_newest = page.order is Order.NEWEST
    if page.position is not None:
        place = tuple_(page.position.created_at, page.position.id)
        rows = rows.where(key < place if is_newest else key > place)
    rows = rows.order_by(*(it.desc() if is_newest else it for it in (kind.created_at, kind.id)))
    # One row more than asked for tells whether there is a next page.
    found = session.execute(rows.limit(page.limit + 1)).all()
    items = [shown.model_validate(row) for row in found[: page.limit]]
    if len(found) == len(items):
        return items, None
    last = found[page.limit - 1]
    return items, encode(Position(last.created_at, last.id))
