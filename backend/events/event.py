"""An event of a book or a voice, and its text form for PostgreSQL."""

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
    """A text on the channel that is not an event of this release."""


@dataclass(frozen=True)
class Event:
    """A change by a transaction: the kind of object, the action, the object and its owner.

    A write to any part of a book (a page, a dialogue, its text) is an update of the book.
    `is_shared` tells whether everybody saw the object before or after the change.
    """

    kind: Kind
    action: Action
    id: UUID
    owner: UUID
    is_shared: bool

    @property
    def name(self) -> str:
        """Return the event's name, for example `book.created`."""
        return f"{self.kind}.{self.action}"

    @property
    def payload(self) -> str:
        """Return the event as short text, far below NOTIFY's limit of 8000 bytes."""
        told = {"event": self.name, "id": str(self.id), "owner": str(self.owner)}
        return json.dumps({**told, "shared": self.is_shared})


def parse(payload: str) -> Event:
    """Return the event of a payload; raise UnreadableEventError."""
    try:
        told = json.loads(payload)
        kind, action = _NAMES[told["event"]]
        identifier, owner = UUID(told["id"]), UUID(told["owner"])
        return Event(kind, action, identifier, owner, told["shared"] is not False)
    # Deeply nested brackets raise a RecursionError; every role of the database may send such a
    # text.
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableEventError("not an event of this release") from error
