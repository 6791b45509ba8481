"""Lists a page at a time, by the key of the last row: (created_at, id)."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.orm import Session, raiseload

from backend.services.access import Owned
from backend.services.cursor import Position, encode


@dataclass(frozen=True)
class Turn:
    """Which page of a list: where it begins (None is the beginning) and how many it has at most."""

    position: Position | None
    limit: int


def rows_of(
    session: Session, kind: type[Owned], condition: ColumnElement[bool], turn: Turn
) -> tuple[Sequence[Owned], str | None]:
    """Return a page of what fits the condition, oldest first, and the cursor of the next page.

    One query. The cursor is None where this page is the last.
    """
    key = tuple_(kind.created_at, kind.id)
    rows = select(kind).where(condition).options(raiseload("*"))
    if turn.position is not None:
        rows = rows.where(key > (turn.position.created_at, turn.position.id))
    # One more than asked for tells whether there is a next page.
    found = session.scalars(rows.order_by(*key).limit(turn.limit + 1)).all()
    shown = found[: turn.limit]
    if len(found) == len(shown):
        return shown, None
    return shown, encode(Position(shown[-1].created_at, shown[-1].id))
