from typing import get_args
from uuid import UUID, uuid4

import pytest

from backend.events.event import Action, Event, Kind, UnreadableEventError, parse


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("action", get_args(Action))
@pytest.mark.parametrize("is_shared", [True, False])
def test_an_event_goes_there_and_back(kind: Kind, action: Action, is_shared: bool) -> None:
    """As a text that is far from NOTIFY's 8000 bytes."""
    event = Event(kind, action, uuid4(), uuid4(), is_shared)
    assert event.name == f"{kind}.{action}"
    assert parse(event.payload) == event
    assert len(event.payload.encode()) < 200


GOOD = Event("book", "updated", UUID(int=1), UUID(int=2), is_shared=True).payload


@pytest.mark.parametrize(
    "payload",
    [
        *("", "{", "null", "[]", "7", '"book.updated"', "{}", "\ud800", "9" * 5000, "[" * 10_000),
        GOOD.replace("updated", "read"),
        GOOD.replace("book", "page"),
        GOOD.replace("0001", "000x"),
        GOOD.replace('"shared"', '"more"'),
        '{"event": [], "id": 1, "owner": 2, "shared": true}',
    ],
)
def test_anything_else_is_refused(payload: str) -> None:
    with pytest.raises(UnreadableEventError):
        parse(payload)
