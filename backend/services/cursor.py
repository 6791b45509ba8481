"""Where a page of a list ends: a position among rows ordered by (created_at, id), as opaque text.

The position is that of a row and not a number of rows: what is there from the first page to the
last appears exactly once, whatever comes or goes while somebody turns them, and nothing appears
twice. What comes meanwhile may be missed: it is dated by when its transaction began, and what is
dated later may have been committed, and turned over, before it. Who begins anew sees it.
"""

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# Microseconds since the epoch, which is all that a timestamptz holds, and the id: 24 bytes.
_FORM = struct.Struct(">q16s")


@dataclass(frozen=True)
class Position:
    """The place right after the row of this moment and id."""

    created_at: datetime
    id: UUID


def encode(position: Position) -> str:
    """Return the position as 32 characters that need no escaping in a URL."""
    moment = (position.created_at - _EPOCH) // _MICROSECOND
    return urlsafe_b64encode(_FORM.pack(moment, position.id.bytes)).decode("ascii")


def decode(text: str) -> Position:
    """Return the position that `encode` made the text of.

    Raises ValueError for any other text.
    """
    try:
        moment, identifier = _FORM.unpack(urlsafe_b64decode(text))
        position = Position(_EPOCH + moment * _MICROSECOND, UUID(bytes=identifier))
    except (ValueError, struct.error, OverflowError) as error:
        raise ValueError("not a cursor of this list") from error
    # Base64 ignores characters that it doesn't know: one position has one text.
    if encode(position) != text:
        raise ValueError("not a cursor of this list")
    return position
