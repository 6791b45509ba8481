"""Parameters of lists: page, order and filters."""

from typing import Annotated

from fastapi import Depends, Query

from backend.schemas.field_types import Cursor, LanguageCode, ShortText
from backend.services.access import Shelf
from backend.services.cursor import decode
from backend.services.filters import BookFilters
from backend.services.listing import Order, PageRequest


async def _page(
    limit: Annotated[int, Query(ge=1, le=100, description="The largest number of items.")] = 20,
    cursor: Annotated[Cursor | None, Query()] = None,
    order: Annotated[
        Order, Query(description="By creation date. A cursor is valid in both orders.")
    ] = Order.NEWEST,
) -> PageRequest:
    """Return the requested page."""
    return PageRequest(None if cursor is None else decode(cursor), limit, order)


async def _filters(
    title: Annotated[
        ShortText | None,
        Query(
            description="Only books whose titles contain all of these words, or words that begin "
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
PageParameter = Annotated[PageRequest, Depends(_page)]
OnShelf = Annotated[
    Shelf | None,
    Query(
        description="Only your own, only public or only default ones; without it, all that you see."
    ),
]
