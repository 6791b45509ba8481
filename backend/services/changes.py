"""The end of every writing transaction: what was changed is told with the commit."""

import logging
from collections.abc import Callable, Mapping

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.events.event import CHANNEL, Event

_log = logging.getLogger(__name__)

_HERE = "told of changes in this process"


def told_here(hear: Callable[[Event], None]) -> Mapping[str, Callable[[Event], None]]:
    """Return the `info` of sessions whose changes this process hears of before the answer goes out.

    The others hear of them through PostgreSQL, and so does this one, a moment later.
    """
    return {_HERE: hear}


def commit(session: Session, event: Event) -> None:
    """Commit what was changed; every write of a book or a voice ends here.

    PostgreSQL tells the event to whoever listens once the transaction is committed, and to nobody
    if it is not. Transactions that tell something commit one after the other.
    """
    session.execute(select(func.pg_notify(CHANNEL, event.payload)))
    try:
        session.commit()
    finally:
        # Also where the answer to the commit was lost, for then nobody knows.
        if (hear := session.info.get(_HERE)) is not None:
            hear(event)
    _log.debug("%s %s", event.name, event.id)
