"""Revision ids with characters that the database's encoding does not have."""

from collections.abc import Iterable

from psycopg2.extensions import encodings

from alembic_boot.state.inspection import Unencodable

ENCODINGS_QUERY = "SELECT current_setting('server_encoding'), current_setting('client_encoding')"

_ANY_BYTES = "SQL_ASCII"
"""PostgreSQL's name for an encoding that stores all bytes as the client sends them."""


def unencodable(ids: Iterable[str], server: str, client: str) -> Unencodable | None:
    """Return the revisions that could not be recorded after they have run, in this order.

    `server` and `client` are the encodings of the database and of the session, by PostgreSQL's
    names. An encoding that Python does not know is not checked.
    """
    encoding = client if server == _ANY_BYTES else server
    codec = encodings.get(encoding)
    found = tuple(it for it in ids if codec is not None and not _has(codec, it))
    return Unencodable(found, server) if found else None


def _has(codec: str, text: str) -> bool:
    try:
        text.encode(codec)
    except UnicodeEncodeError:
        return False
    return True
