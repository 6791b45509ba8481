"""Lists a page at a time, by the key of the last row: (created_at, id)."""

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
    """The order of a list, by when its rows were made."""

    NEWEST = "newest"
    OLDEST = "oldest"


@dataclass(frozen=True)
class Turn:
    """A page of a list: where it begins (None is the beginning) and how many it has at most."""

    position: Position | None
    limit: int
    order: Order = Order.NEWEST


def rows_of(
    session: Session,
    kind: type[Book] | type[Voice] | type[Audio],
    shown: type[Shown],
    conditions: Sequence[ColumnElement[bool]],
    turn: Turn,
) -> tuple[list[Shown], str | None]:
    """Return a page of what fits the conditions, as `shown`, and the cursor of the next page.

    One query. The cursor is None if this page is the last. It has a place in the list of all rows,
    so that it stays right if the conditions change.
    """
    key = tuple_(kind.created_at, kind.id)
    rows = select(*(getattr(kind, name) for name in shown.model_fields)).where(*conditions)
    is_newest = turn.order is Order.NEWEST
    if turn.position is not None:
        place = tuple_(turn.position.created_at, turn.position.id)
        rows = rows.where(key < place if is_newest else key > place)
    rows = rows.order_by(*(it.desc() if is_newest else it for it in (kind.created_at, kind.id)))
    # One more than asked for tells whether there is a next page.
    found = session.execute(rows.limit(turn.limit + 1)).all()
    items = [shown.model_validate(row) for row in found[: turn.limit]]
    if len(found) == len(items):
        return items, None
    last = found[turn.limit - 1]
    return items, encode(Position(last.created_at, last.id))
