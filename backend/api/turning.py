"""The parameters by which every list is turned, a page at a time."""

from typing import Annotated

from fastapi import Depends, Query
from fastapi.exceptions import RequestValidationError

from backend.services.access import Shelf
from backend.services.cursor import decode
from backend.services.listing import Turn


async def _turn(
    limit: Annotated[int, Query(ge=1, le=100, description="How many at most.")] = 20,
    cursor: Annotated[
        str | None,
        Query(
            description="`next_cursor` of the answer before, unchanged; left out for the first. "
            "What is there from the first to the last appears once; what comes meanwhile may not.",
            json_schema_extra={"pattern": "^[A-Za-z0-9_-]{32}$"},
        ),
    ] = None,
) -> Turn:
    """Return which page is asked for; a malformed cursor is a bad parameter like any other."""
    if cursor is None:
        return Turn(None, limit)
    try:
        return Turn(decode(cursor), limit)
    except ValueError as error:
        complaint = {
            "type": "value_error",
            "loc": ("query", "cursor"),
            "msg": f"This is {error}: take the next_cursor of an answer, unchanged",
        }
        raise RequestValidationError([complaint]) from error


Turned = Annotated[Turn, Depends(_turn)]
OnShelf = Annotated[
    Shelf | None,
    Query(description="Only your own, the public ones, or those by default; else all you see."),
]
