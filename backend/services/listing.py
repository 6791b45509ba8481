"""Lists a page at a time, by the key of the last row: (created_at, id)."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session, raiseload

from backend.services.access import Owned, Shelf, is_on_shelf
from backend.services.cursor import Position, encode


def rows_after(
    session: Session,
    kind: type[Owned],
    viewer: UUID | None,
    shelf: Shelf | None,
    position: Position | None,
    limit: int,
) -> tuple[Sequence[Owned], str | None]:
    """Return up to `limit` of what `viewer` sees, oldest first, and where the next begin.

    One query. Raises UnauthenticatedError where nobody asks for what is theirs.
    """
    key = tuple_(kind.created_at, kind.id)
    rows = select(kind).where(is_on_shelf(kind, viewer, shelf)).options(raiseload("*"))
    if position is not None:
        rows = rows.where(key > (position.created_at, position.id))
    # One more than asked for tells whether there is a next page.
    found = session.scalars(rows.order_by(*key).limit(limit + 1)).all()
    shown = found[:limit]
    if len(found) == len(shown):
        return shown, None
    return shown, encode(Position(shown[-1].created_at, shown[-1].id))
