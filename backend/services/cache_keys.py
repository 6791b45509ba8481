"""Cache keys of public answers, for readers and for the events that invalidate them.

Only answers that are the same for everybody are cached. Private data is read each time.
"""

from collections.abc import Iterable
from uuid import UUID

from backend.cache.answers import Answers, Key
from backend.events.event import Event, Kind, UnreadableEventError, parse
from backend.services.access import Shelf
from backend.services.filters import BookFilters
from backend.services.listing import PageRequest


def list_key(
    kind: Kind,
    viewer: UUID | None,
    shelf: Shelf | None,
    page: PageRequest,
    filters: BookFilters | None = None,
) -> Key | None:
    """Return the cache key of a page of a list; None if the list is not the same for everybody."""
    if shelf is Shelf.MINE or (shelf is None and viewer is not None):
        return None
    return Key(_lists(kind), (shelf, page, filters))


def item_key(kind: Kind, identifier: UUID, language: str | None = None) -> Key:
    """Return the cache key of a shared book or voice, in one language or in all."""
    return Key(_one(kind, identifier), language)


def shelf_page_key(page: PageRequest, language: str) -> Key:
    """Return the cache key of a page of the shelf, with the reader's words in a language."""
    return Key(_lists("book"), ("drawn", page, language))


def book_page_key(identifier: UUID, position: int | None, language: str) -> Key:
    """Return the cache key of a page of a shared book in the reader, as above."""
    return Key(_one("book", identifier), ("drawn", position, language))


def subjects_of(event: Event) -> set[str]:
    """Return the subjects whose answers an event invalidates, as in the functions above."""
    one = _one(event.kind, event.id)
    return {one, _lists(event.kind)} if event.is_shared else {one}


def invalidate(answers: Answers, payloads: Iterable[str]) -> None:
    """Drop the cached answers that these event payloads concern.

    If a payload is unreadable, drop all answers: a newer release may know other events.
    """
    try:
        events = [parse(it) for it in payloads]
    except UnreadableEventError:
        answers.clear()
        return
    answers.forget(set().union(*(subjects_of(it) for it in events)))


def _lists(kind: Kind) -> str:
    return f"{kind}s"


def _one(kind: Kind, identifier: UUID) -> str:
    return f"{kind} {identifier}"
