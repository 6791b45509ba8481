"""The parameters of lists: which page, in which order, and which books."""

from typing import Annotated

from fastapi import Depends, Query
from fastapi.exceptions import RequestValidationError

from backend.schemas.kinds import LanguageCode, ShortText
from backend.services.access import Shelf
from backend.services.cursor import decode
from backend.services.filters import BookFilters
from backend.services.listing import Order, Turn


async def _turn(
    limit: Annotated[int, Query(ge=1, le=100, description="How many at most.")] = 20,
    cursor: Annotated[
        str | None,
        Query(
            description="`next_cursor` of the answer before, unchanged; left out for the first. "
            "What is there from the first to the last appears once; what comes meanwhile may not.",
        ),
    ] = None,
    order: Annotated[
        Order, Query(description="By when they were made. A cursor keeps its place in both.")
    ] = Order.NEWEST,
) -> Turn:
    """Return which page is asked for; a malformed cursor is a bad parameter like any other."""
    if cursor is None:
        return Turn(None, limit, order)
    try:
        return Turn(decode(cursor), limit, order)
    except ValueError as error:
        complaint = {
            "type": "value_error",
            "loc": ("query", "cursor"),
            "msg": f"This is {error}: take the next_cursor of an answer, unchanged",
        }
        raise RequestValidationError([complaint]) from error


async def _filters(
    title: Annotated[
        ShortText | None,
        Query(
            description="Only books with all of these words in their titles, or words that begin "
            "so: `play day` finds My Playground Day. In any language, upper and lower case alike."
        ),
    ] = None,
    genre: Annotated[ShortText | None, Query(description="Only this genre, as written.")] = None,
    target_age: Annotated[
        ShortText | None, Query(description="Only this target age, as written.")
    ] = None,
    language: Annotated[
        LanguageCode | None, Query(description="Only books with words in this language.")
    ] = None,
) -> BookFilters:
    return BookFilters(title, genre, target_age, language)


Filtered = Annotated[BookFilters, Depends(_filters)]
Turned = Annotated[Turn, Depends(_turn)]
OnShelf = Annotated[
    Shelf | None,
    Query(description="Only your own, the public ones, or those by default; else all you see."),
]
