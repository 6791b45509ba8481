"""What is the same for everybody, and how it is known: by readers, and by whoever ends it.

Only of this are answers kept. What is private is read each time.
"""

from collections.abc import Iterable
from uuid import UUID

from backend.cache.answers import Answers, Key
from backend.events.event import Event, Kind, UnreadableEventError, parse
from backend.services.access import Shelf
from backend.services.filters import BookFilters
from backend.services.listing import Turn


def key_of_list(
    kind: Kind,
    viewer: UUID | None,
    shelf: Shelf | None,
    turn: Turn,
    filters: BookFilters | None = None,
) -> Key | None:
    """Return the key of a page of a list; None if it is not the same for everybody."""
    if shelf is Shelf.MINE or (shelf is None and viewer is not None):
        return None
    return Key(_lists(kind), (shelf, turn, filters))


def key_of_one(kind: Kind, identifier: UUID, language: str | None = None) -> Key:
    """Return what a shared book or voice is known by, in a language or in all."""
    return Key(_one(kind, identifier), language)


def subjects_of(event: Event) -> set[str]:
    """Return whose answers an event ends: those that the two functions above make keys of."""
    one = _one(event.kind, event.id)
    return {one, _lists(event.kind)} if event.is_shared else {one}


def forget(answers: Answers, payloads: Iterable[str]) -> None:
    """End the answers that these payloads of events concern.

    All of them where one is unreadable: a release that is newer may know of more.
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
