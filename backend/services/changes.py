"""The end of every writing transaction: what was changed is told with the commit."""

import logging
from collections.abc import Callable, Mapping

from sqlalchemy import ARRAY, Text, func, literal, select
from sqlalchemy.orm import Session

from backend.events.event import CHANNEL, Event

_log = logging.getLogger(__name__)

_HERE = "told of changes in this process"


def told_here(hear: Callable[[Event], None]) -> Mapping[str, Callable[[Event], None]]:
    """Return the `info` of sessions whose changes this process hears of before the answer goes out.

    The others hear of them through PostgreSQL, and so does this one, a moment later.
    """
    return {_HERE: hear}


def commit(session: Session, *events: Event) -> None:
    """Commit what was changed; every write of a book or a voice ends here.

    PostgreSQL tells the event to whoever listens once the transaction is committed, and to nobody
    if it is not. Transactions that tell something commit one after the other.
    """
    if events:
        payloads = literal([event.payload for event in events], ARRAY(Text))
        session.execute(select(func.pg_notify(CHANNEL, func.unnest(payloads).column_valued())))
    try:
        session.commit()
    finally:
        # Also where the answer to the commit was lost, for then nobody knows.
        if (hear := session.info.get(_HERE)) is not None:
            for event in events:
                hear(event)
    for event in events:
        _log.debug("%s %s", event.name, event.id)
