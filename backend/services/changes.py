"""The end of every writing transaction."""

import logging
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy.orm import Session

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Change:
    """What a transaction did: to which kind of thing, what, and to which one.

    Whatever is written inside of a book (a page, a dialogue, its words) has updated the book.
    """

    kind: Literal["book", "voice"]
    action: Literal["created", "updated", "deleted"]
    id: UUID

    @property
    def name(self) -> str:
        """Return the event's name, `book.created` for example."""
        return f"{self.kind}.{self.action}"


def commit(session: Session, change: Change) -> None:
    """Commit what was changed; every write of a book or a voice ends here.

    What has to go out with the transaction, or not at all, is sent before the commit.
    """
    session.commit()
    _log.debug("%s %s", change.name, change.id)
