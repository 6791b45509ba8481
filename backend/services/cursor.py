"""Cursors: a position among rows ordered by (created_at, id), as opaque text.

The position names a row, not a number of rows. So items that exist the whole time appear exactly
once, and no item appears twice, while others come and go. Newer items may be missing: their date is
the start of their transaction. By the time of its commit, the reader may be past that date. A list
that is read from its start again contains them.
"""

import re
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from backend.schemas.field_types import CURSOR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# Microseconds since the epoch (the precision of a timestamptz), and the id: 24 bytes.
_FORM = struct.Struct(">q16s")

_FIRST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
"""Largest number of microseconds that a datetime can hold.

A larger number is a position before or after all rows.
"""


@dataclass(frozen=True)
class Position:
    """The position right after the row of this moment and id."""

    created_at: datetime
    id: UUID


def encode(position: Position) -> str:
    """Return the position as 32 characters that need no escaping in a URL."""
    moment = (position.created_at - _EPOCH) // _MICROSECOND
    return urlsafe_b64encode(_FORM.pack(moment, position.id.bytes)).decode("ascii")


def decode(text: str) -> Position:
    """Return the position of a cursor. Every text that fits the pattern has one.

    Raises ValueError for any other text.
    """
    if re.fullmatch(CURSOR, text) is None:
        raise ValueError("not a cursor of this list")
    moment, identifier = _FORM.unpack(urlsafe_b64decode(text))
    moment = min(max(moment, _FIRST), _LAST)
    return Position(_EPOCH + moment * _MICROSECOND, UUID(bytes=identifier))
