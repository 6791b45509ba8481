"""Whether a revision's file still says what it said when it was applied."""

from collections.abc import Iterable
from pathlib import Path

from backend.boot.revisions.checksum import code_checksum, file_sha256
from backend.boot.revisions.history import History, Revision
from backend.boot.state.inspection import Applied


def edited_revisions(journal: Iterable[Applied], history: History) -> tuple[str, ...]:
    """Return the journalled revisions whose code on disk is another one now, in order.

    Where the bytes are the same nothing is parsed. A revision that the journal or this history
    does not have is none of them.
    """
    return history.in_order(
        entry.revision
        for entry in journal
        if (revision := history.revisions.get(entry.revision)) is not None
        and _is_edited(entry, revision)
    )


def fingerprint(path: Path | None) -> tuple[str | None, str | None]:
    """Return the hash of a revision's bytes and of its code; neither where there is no source."""
    if path is None or path.suffix != ".py":
        return None, None
    source = path.read_bytes()
    return file_sha256(source), code_checksum(source)


def _is_edited(entry: Applied, revision: Revision) -> bool:
    path = revision.path
    if entry.file_sha256 in (None, revision.file_sha256) or path is None or path.suffix != ".py":
        return False
    try:
        return code_checksum(path.read_bytes()) != entry.checksum
    except (SyntaxError, ValueError):  # it did parse when it was applied
        return True
