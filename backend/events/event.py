"""What has happened to a book or a voice, and how it goes through PostgreSQL."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args
from uuid import UUID

CHANNEL = "moriai_events"

Kind = Literal["book", "voice"]
Action = Literal["created", "updated", "deleted"]

_NAMES: Mapping[str, tuple[Kind, Action]] = {
    f"{kind}.{action}": (kind, action) for kind in get_args(Kind) for action in get_args(Action)
}


class UnreadableEventError(ValueError):
    """A text on the channel that is none of the events that this release knows."""


@dataclass(frozen=True)
class Event:
    """What a transaction did: to which kind of thing, what, to which one, and whose that is.

    Whatever is written inside of a book (a page, a dialogue, its words) has updated the book.
    `is_shared` says whether everybody saw it, before or after.
    """

    kind: Kind
    action: Action
    id: UUID
    owner: UUID
    is_shared: bool

    @property
    def name(self) -> str:
        """Return the event's name, `book.created` for example."""
        return f"{self.kind}.{self.action}"

    @property
    def payload(self) -> str:
        """Return it as text: always the same few bytes, far from the 8000 that NOTIFY takes."""
        told = {"event": self.name, "id": str(self.id), "owner": str(self.owner)}
        return json.dumps({**told, "shared": self.is_shared})


def parse(payload: str) -> Event:
    """Return the event that `Event.payload` made the text of; raise UnreadableEventError."""
    try:
        told = json.loads(payload)
        kind, action = _NAMES[told["event"]]
        identifier, owner = UUID(told["id"]), UUID(told["owner"])
        return Event(kind, action, identifier, owner, told["shared"] is not False)
    # Brackets in brackets, which anybody may send who may log in, end in a RecursionError.
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableEventError("not an event of this release") from error
