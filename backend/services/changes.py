"""The commit of every writing transaction, and the event that announces the change."""

import logging
from collections.abc import Callable, Mapping

from sqlalchemy import ARRAY, Text, func, literal, select
from sqlalchemy.orm import Session

from backend.events.event import CHANNEL, Event

_log = logging.getLogger(__name__)

_HERE = "told of changes in this process"


def notify_locally(hear: Callable[[Event], None]) -> Mapping[str, Callable[[Event], None]]:
    """Return the `info` of sessions whose changes this process hears before the answer is sent.

    Other processes hear of them through PostgreSQL; so does this process, a moment later.
    """
    return {_HERE: hear}


def commit(session: Session, *events: Event) -> None:
    """Commit the changes; every write of a book or a voice ends here.

    PostgreSQL sends the event to its listeners when the transaction is committed, and not after a
    rollback. Transactions that send an event commit one after the other.
    """
    if events:
        payloads = literal([event.payload for event in events], ARRAY(Text))
        session.execute(select(func.pg_notify(CHANNEL, func.unnest(payloads).column_valued())))
    try:
        session.commit()
    finally:
        # Also if the answer to the commit was lost: the commit may have succeeded.
        if (hear := session.info.get(_HERE)) is not None:
            for event in events:
                hear(event)
    for event in events:
        _log.debug("%s %s", event.name, event.id)
