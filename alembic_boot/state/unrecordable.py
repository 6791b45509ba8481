"""Revision ids that the version table cannot store: too long, or in another encoding."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

from psycopg2.extensions import encodings

from alembic_boot.environment.version_table import VersionTable
from alembic_boot.errors import HistoryBrokenError, some
from alembic_boot.history.history import History, Revision

_ENCODINGS = "SELECT current_setting('server_encoding'), current_setting('client_encoding')"

_ANY_BYTES = "SQL_ASCII"
"""PostgreSQL's name for an encoding that stores all bytes as the client sends them."""

_WIDE = "varchar(255)"


@dataclass(frozen=True)
class Unrecordable:
    """Revisions that could not be recorded after they have run, and why."""

    ids: tuple[str, ...]
    what: str
    advice: str
    widening: str = ""
    """The SQL that makes room, if the ids are too long."""

    def refusal(self, unchanged: str = "Nothing was changed.") -> HistoryBrokenError:
        """Return the error to raise before they run."""
        return HistoryBrokenError(self.what, f"{self.advice} {unchanged}")


def unrecordable(
    ask: Callable[[str], Any], ids: Sequence[str], history: History, version_table: VersionTable
) -> Unrecordable | None:
    """Return which of the revisions, in this order, have ids that cannot be recorded.

    `ask` returns the first row of a query. It is called only if the ids and the known room of the
    table leave a doubt: another starter or a revision may have changed the room since.
    """
    if not is_doubtful(ids, history, version_table):
        return None
    is_there, room = ask(version_table.room_query)
    table = replace(version_table, room=room) if is_there else version_table
    found = too_long(ids, history, table, is_there=is_there)
    return found or unencodable(ids, *ask(_ENCODINGS))


def is_doubtful(ids: Sequence[str], history: History, version_table: VersionTable) -> bool:
    """Return whether only the database can tell that it has the room and the characters."""
    is_short = too_long(ids, history, version_table, is_there=True) is None
    return not (is_short and all(map(str.isascii, ids)))


def too_long(
    ids: Iterable[str], history: History, version_table: VersionTable, *, is_there: bool
) -> Unrecordable | None:
    """Return the revisions whose ids are longer than the version table's column, in this order.

    A revision that names the version table may widen the column: that revision and later ones are
    not checked. `is_there` tells whether the table exists already.
    """
    room, in_order = version_table.room, tuple(ids)
    if room is None or all(len(it) <= room for it in in_order):  # no file has to be read
        return None
    before = takewhile(lambda it: not _names(history.revisions.get(it), version_table), in_order)
    found = [it for it in before if len(it) > room]
    if not found:
        return None
    widening = (
        f"ALTER TABLE {version_table} ALTER version_num TYPE {_WIDE}"
        if is_there
        else f"CREATE TABLE {version_table} (version_num {_WIDE} PRIMARY KEY)"
    )
    they, are, shorter = _agreeing(found, "is", "are", "a shorter id", "shorter ids")
    return Unrecordable(
        tuple(found),
        f"{they} {are} longer than the {room} characters of version_num in {version_table}.",
        f"Give {shorter}, or make room with `{widening}`.",
        widening,
    )


def unencodable(ids: Iterable[str], server: str, client: str) -> Unrecordable | None:
    """Return the revisions with characters that the encoding does not have, in this order.

    `server` and `client` are the encodings of the database and of the session, by PostgreSQL's
    names. An encoding that Python does not know is not checked.
    """
    codec = encodings.get(client if server == _ANY_BYTES else server)
    found = [it for it in ids if codec is not None and not _has(codec, it)]
    if not found:
        return None
    ids, have, ascii_ids = _agreeing(found, "has", "have", "an id", "ids")
    return Unrecordable(
        tuple(found),
        f"{ids} {have} characters that the encoding of the database ({server}) does not have.",
        f"Give {ascii_ids} of letters and digits in ASCII.",
    )


def _agreeing(found: list[str], is_: str, are: str, one: str, several: str) -> tuple[str, str, str]:
    """Return subject, verb and object of the sentences about one revision, or about several."""
    if len(found) == 1:
        return f"The revision id {found[0]}", is_, f"the revision {one}"
    return f"The revision ids {some(found)}", are, f"these revisions {several}"


def _names(revision: Revision | None, version_table: VersionTable) -> bool:
    if revision is None or revision.path is None:
        return False
    content = revision.path.read_bytes()
    return version_table.name.encode() in content or b"version_num" in content


def _has(codec: str, text: str) -> bool:
    try:
        text.encode(codec)
    except UnicodeEncodeError:
        return False
    return True
