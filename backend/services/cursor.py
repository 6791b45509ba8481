"""The end of a page of a list: a position among rows ordered by (created_at, id), as opaque text.

The position is that of a row and not a number of rows. So a row that is there from the first page
to the last appears exactly once, and no row appears twice, while others come and go. A row that
comes meanwhile may be missing: its date is the beginning of its transaction, and a page with rows
of a later date may be over by the time of its commit. It is in a list that begins anew.
"""

import re
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from backend.schemas.kinds import CURSOR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# Microseconds since the epoch, which is all that a timestamptz holds, and the id: 24 bytes.
_FORM = struct.Struct(">q16s")

_FIRST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
"""The microseconds that a datetime holds. A number beyond is a place before or after all rows."""


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
    """Return the position that a cursor stands for: each text of the pattern is one.

    Raises ValueError for any other text.
    """
    if re.fullmatch(CURSOR, text) is None:
        raise ValueError("not a cursor of this list")
    moment, identifier = _FORM.unpack(urlsafe_b64decode(text))
    moment = min(max(moment, _FIRST), _LAST)
    return Position(_EPOCH + moment * _MICROSECOND, UUID(bytes=identifier))
